/** A proxy in front of a simulated AhaSend, with apps that send mail, for one picture. */
import { connect } from 'node:net'
import { type App, SIZES, startMail } from '../../demo/mail.ts'
import { seededRandom } from '../../simulator/random.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import type { ProxyProcess } from '../processes/proxy-process.ts'
import { startBefore } from '../processes/running-proxy.ts'

/** The apps by the networks from which they connect. The last one has no name. */
const NETWORKS = { shop: '127.0.1', billing: '127.0.2', newsletter: '127.0.3', other: '127.0.4' } as const

const pick = <T>(items: readonly T[], random: () => number) => items[Math.floor(random() * items.length)] as T
const ORDINARY = (random: () => number) => ({ size: pick(SIZES.slice(0, 5), random) })

const APPS: Readonly<Record<keyof typeof NETWORKS, readonly App[]>> = {
  shop: [
    { everyMs: 160, pooled: true, mail: ORDINARY },
    { everyMs: 9000, pooled: true, mail: () => ({ to: 'fault+553-at-rcpt@example.net' }) },
  ],
  billing: [{ everyMs: 300, pooled: false, mail: ORDINARY }],
  newsletter: [
    { everyMs: 900, pooled: true, mail: () => ({ to: names(20) }) },
    { everyMs: 20_000, pooled: true, mail: () => ({ to: names(52) }) },
  ],
  other: [{ everyMs: 2500, pooled: false, mail: ORDINARY }],
}

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, number) => `reader-${number}@example.net`)
}

/** How often a client outside PROXY_ALLOW tries to connect. */
const STRANGER_MS = 15_000

export interface Stage extends AsyncDisposable {
  readonly simulator: Simulator
  readonly proxy: ProxyProcess
}

/**
 * Starts the proxy with the fast clock, and its traffic. `newConnections`: no app keeps its connections, so that all notice when
 * AhaSend refuses new ones.
 */
export async function startStage(seed: number, { newConnections = false } = {}): Promise<Stage> {
  // the fast clock makes 30 to 90 ms of these 1 to 3 ms
  const simulator = await startSimulator({ seed, faults: { 'latency-1-3': {} } })
  const proxy = await startBefore(
    simulator,
    {
      PROXY_CLIENTS: Object.entries(NETWORKS)
        .filter(([name]) => name !== 'other')
        .map(([name, network]) => `${name}=${network}.0/24`)
        .join(','),
      PROXY_ALLOW: Object.values(NETWORKS)
        .map((network) => `${network}.0/24`)
        .join(','),
      PROXY_DIAL_TIMEOUT: '25s',
      PROXY_IDLE_TIMEOUT: '1h',
      OTEL_RESOURCE_ATTRIBUTES: 'service.instance.id=mail-proxy-1',
    },
    { nodeOptions: ['--import', new URL('fast-clock.ts', import.meta.url).href] },
  )
  const random = seededRandom(seed)
  const { port } = proxy
  const apps = (name: keyof typeof NETWORKS) =>
    APPS[name].map((app) => ({ ...app, pooled: app.pooled && !newConnections }))
  const mails = Object.entries(NETWORKS).map(([name, network]) =>
    startMail({ host: '127.0.0.1', port, localAddress: `${network}.1` }, random, apps(name as keyof typeof NETWORKS)),
  )
  const stranger = setInterval(() => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.9.4' })
    socket.on('error', () => {}).on('data', () => socket.end())
  }, STRANGER_MS)
  return {
    simulator,
    proxy,
    async [Symbol.asyncDispose]() {
      clearInterval(stranger)
      await Promise.all(mails.map((mail) => mail.stop()))
      await proxy.stop('SIGKILL')
      await simulator.close()
    },
  }
}
