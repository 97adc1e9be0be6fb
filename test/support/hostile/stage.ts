/** The proxy as a process between hostile clients and hostile upstreams, everything on loopback. */

import { certificateSettings, makeTrust, type Trust } from '../in-process/trust.ts'
import { type ProxyProcess, startProxy } from '../processes/proxy-process.ts'
import { SeededRandom } from '../traffic/seeded-random.ts'
import { SecretText } from './secret-text.ts'
import { HostileSessions, VISITS } from './sessions.ts'
import { HostileUpstream, playSession, playTls } from './sockets.ts'

/** Every session with this interval uses the TLS listener. */
const TLS_EVERY = 20

export interface HostileStage extends AsyncDisposable {
  readonly proxy: ProxyProcess
  readonly secretText: SecretText
  /** The configured hosts of the upstreams. */
  readonly servers: readonly string[]
  /** The URLs of the listeners. */
  readonly listeners: readonly string[]
  /** Plays the next `count` sessions, `atOnce` of them concurrently. Resolves when all clients are closed. */
  play(count: number, atOnce: number): Promise<void>
}

const LISTENERS = ['smtp://127.0.0.1:0', 'smtps://127.0.0.1:0']

/** A hostile upstream without TLS, one with TLS, and a proxy in front of both. */
async function startProcesses(
  random: SeededRandom,
  secretText: SecretText,
  trust: Trust,
  env: Readonly<Record<string, string>>,
) {
  const first = await HostileUpstream.start(random.another(), secretText)
  const second = await HostileUpstream.start(random.another(), secretText, trust.identity)
  const proxy = await startProxy({
    PROXY_LISTEN: LISTENERS.join(','),
    PROXY_UPSTREAM: `smtp://127.0.0.1:${first.port}?tls=off,smtp://127.0.0.1:${second.port}`,
    PROXY_UPSTREAM_CA_FILE: trust.caFile,
    PROXY_DIAL_TIMEOUT: '1s',
    ...certificateSettings(trust),
    ...env,
  })
  return { first, second, proxy }
}

/** Starts the stage. `env` holds further settings of the proxy. The same seed gives the same texts, in any order. */
export async function openHostileStage(
  seed: number,
  env: Readonly<Record<string, string>> = {},
): Promise<HostileStage> {
  const random = new SeededRandom(seed)
  const secretText = new SecretText(random)
  const trust = await makeTrust()
  const { first, second, proxy } = await startProcesses(random, secretText, trust, env)
  const sessions = new HostileSessions(random.another(), secretText)
  let played = 0
  const next = async () => {
    const number = played
    played += 1
    first.calm = number < VISITS
    const [plain = 0, tls = 0] = proxy.ports
    const session = sessions.session(number)
    await (!first.calm && number % TLS_EVERY === 0 ? playTls(random, secretText, tls) : playSession(session, plain))
  }
  return {
    proxy,
    secretText,
    servers: ['127.0.0.1'],
    listeners: LISTENERS,
    async play(count, atOnce) {
      const last = played + count
      const work = async () => {
        while (played < last) await next()
      }
      await Promise.all(Array.from({ length: atOnce }, work))
    },
    async [Symbol.asyncDispose]() {
      await proxy.stop('SIGKILL')
      await Promise.all([first.close(), second.close()])
      trust.remove()
    },
  }
}
