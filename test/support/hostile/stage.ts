/** The proxy as a process between hostile clients and hostile upstreams, everything on loopback. */

import { type ProxyProcess, startProxy } from '../processes/proxy-process.ts'
import { makeAuthority, writeTemporaryFiles } from '../tls/certificates.ts'
import { Dice } from '../traffic/seeded-random.ts'
import { Noise } from './secret-text.ts'
import { Hostility, VISITS } from './sessions.ts'
import { HostileUpstream, playSession, playTls } from './sockets.ts'

/** One session in so many is one of TLS from the first octet. */
const TLS_EVERY = 20

export interface HostileStage extends AsyncDisposable {
  readonly proxy: ProxyProcess
  readonly noise: Noise
  /** The configured hosts of the upstreams. */
  readonly servers: readonly string[]
  /** The URLs of the listeners. */
  readonly listeners: readonly string[]
  /** Plays the next `count` sessions, `atOnce` at a time. Resolves when all are over at the client's end. */
  play(count: number, atOnce: number): Promise<void>
}

const LISTENERS = ['smtp://127.0.0.1:0', 'smtps://127.0.0.1:0']

/** `env` are settings of the proxy besides. The same seed gives the same words, though not in the same order. */
export async function openHostileStage(
  seed: number,
  env: Readonly<Record<string, string>> = {},
): Promise<HostileStage> {
  const dice = new Dice(seed)
  const noise = new Noise(dice)
  const authority = await makeAuthority()
  const { certPem: cert, keyPem: key } = await authority.issue()
  const files = writeTemporaryFiles({ 'ca.pem': authority.certPem, 'cert.pem': cert, 'key.pem': key })
  const first = await HostileUpstream.start(dice.another(), noise)
  const second = await HostileUpstream.start(dice.another(), noise, { cert, key })
  const proxy = await startProxy({
    PROXY_LISTEN: LISTENERS.join(','),
    PROXY_UPSTREAM: `smtp://127.0.0.1:${first.port}?tls=off,smtp://127.0.0.1:${second.port}`,
    PROXY_UPSTREAM_CA_FILE: files.paths['ca.pem'],
    PROXY_TLS_CERT_FILE: files.paths['cert.pem'],
    PROXY_TLS_KEY_FILE: files.paths['key.pem'],
    PROXY_DIAL_TIMEOUT: '1s',
    ...env,
  })
  const sessions = new Hostility(dice.another(), noise)
  let played = 0
  const next = async () => {
    const number = played
    played += 1
    first.calm = number < VISITS
    const [clear = 0, tls = 0] = proxy.ports
    const session = sessions.session(number)
    await (!first.calm && number % TLS_EVERY === 0 ? playTls(dice, noise, tls) : playSession(session, clear))
  }
  return {
    proxy,
    noise,
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
      files.remove()
    },
  }
}
