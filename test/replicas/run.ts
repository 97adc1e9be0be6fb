/**
 * Two proxies, then three, between mail clients and a simulated AhaSend: rolling restarts, a replica more, a kill, a drain
 * that is too short, and a replica less, all while mail flows.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from '../../bench/compare/processes/ports.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { startReceiver } from '../support/otlp/otlp-receiver.ts'
import { until } from '../support/waiting/until.ts'
import { Apps, type Destination, NAMED, nameOf, PROXY_CLIENTS, UNNAMED } from './apps.ts'
import type { Books } from './books.ts'
import { startHaproxy } from './haproxy.ts'
import { freeServers, Replica } from './replica.ts'

/** How apps find a replica: through HAProxy, or by a name with several addresses. */
export const WAYS = ['haproxy', 'dns'] as const

/** One of them. */
export type Way = (typeof WAYS)[number]

/** What to play. */
export interface Options {
  readonly way: Way
  /** The number of rolling restarts: half of them with two replicas and half with three. */
  readonly restarts: number
  /** PROXY_DRAIN_TIMEOUT in seconds. */
  readonly drainSeconds: number
  /** Senders whose connections stay open, and as many that open a connection for each message. */
  readonly senders: number
  /** The time between two messages of a sender, in milliseconds. */
  readonly everyMs: number
  readonly progress?: (what: string) => void
}

/** Milliseconds that AhaSend takes for a final reply, so that messages are in flight at any moment. */
const FINAL_REPLY_MS = 100

/** Runs it, and returns the books. */
export async function run(options: Options): Promise<Books> {
  await using stack = new AsyncDisposableStack()
  const simulator = stack.use(await startSimulator({ faults: { [`slow-${FINAL_REPLY_MS}-at-end-of-message`]: {} } }))
  const receiver = stack.use(await startReceiver())
  const servers = await freeServers(3, options.way === 'haproxy' ? 'ports' : 'addresses')
  const around = { simulator, receiver, env: settingsFor(options) }
  const replicas = servers.map((server, index) => new Replica(`replica-${index + 1}`, server, around))
  stack.defer(() => killAll(replicas))
  await Promise.all(replicas.slice(0, 2).map((replica) => replica.start()))
  const to = await destination(options.way, replicas, stack)
  const { way, senders, everyMs } = options
  const apps = new Apps({ to, senders, everyMs, apps: way === 'haproxy' ? NAMED : UNNAMED })
  stack.defer(() => apps.stop())
  const kills = await events(options, replicas, simulator)
  await apps.stop()
  for (const replica of replicas) if (replica.running) await replica.drain()
  const lives = replicas.flatMap((replica) => replica.lives)
  return { messages: apps.messages, ledger: simulator.ledger.messages, lives, kills }
}

function settingsFor({ way, drainSeconds }: Options): Record<string, string> {
  return {
    PROXY_CLIENTS,
    PROXY_DRAIN_TIMEOUT: `${drainSeconds}s`,
    ...(way === 'haproxy' && { PROXY_TRUST_PROXY_PROTOCOL: '127.0.0.1' }),
  }
}

async function destination(way: Way, replicas: readonly Replica[], stack: AsyncDisposableStack): Promise<Destination> {
  if (way === 'haproxy') {
    const port = await freePort()
    stack.use(await startHaproxy(port, replicas))
    return { host: '127.0.0.1', port }
  }
  const host = 'proxy.example'
  stack.use(
    nameOf(
      host,
      replicas.map((replica) => replica.host),
    ),
  )
  return { host, port: replicas[0]!.port }
}

/** Everything that happens while the apps send. Returns the times of kills. */
async function events(options: Options, replicas: readonly Replica[], simulator: Simulator): Promise<number[]> {
  const progress = options.progress ?? (() => {})
  const [one, two, three] = replicas as [Replica, Replica, Replica]
  await Promise.all([one.serves(), two.serves()])
  progress('two replicas serve the apps')
  await restart([one, two], options.restarts / 2, progress)
  progress('a third replica starts')
  await joins(three)
  await restart(replicas, options.restarts / 2, progress)
  progress('the first replica is killed')
  const killedAt = Date.now()
  await one.kill()
  await joins(one)
  progress('a message gets no final reply, and its replica is restarted')
  await restartWithoutReply(replicas, simulator)
  progress('the third replica stops')
  await three.drain()
  await pause(1000)
  return [killedAt]
}

async function joins(replica: Replica): Promise<void> {
  await replica.start()
  await replica.serves()
}

async function restart(replicas: readonly Replica[], times: number, progress: (what: string) => void): Promise<void> {
  for (let count = 1; count <= times; count += 1) {
    const replica = replicas[count % replicas.length]!
    const began = performance.now()
    await replica.drain()
    const drained = performance.now()
    await joins(replica)
    const [drain, start] = [drained - began, performance.now() - drained].map((ms) => (ms / 1000).toFixed(1))
    progress(`restart ${count} of ${times}: ${drain} s until the exit, ${start} s until the first session`)
  }
}

/** One message gets no reply, so the drain of its replica cuts it: it is in doubt. */
async function restartWithoutReply(replicas: readonly Replica[], { faults, ledger }: Simulator): Promise<void> {
  faults.set('silence-at-end-of-message', { times: 1 })
  await until('a message waits for its final reply', () =>
    faults.list().every(({ name }) => !name.startsWith('silence')),
  )
  for (const replica of replicas) {
    await replica.drain()
    await joins(replica)
    if (replica.lives.at(-1)!.cut > 0) return
  }
  throw new Error(`no drain cut a message; the ledger has ${ledger.messages.length}`)
}

async function killAll(replicas: readonly Replica[]): Promise<void> {
  for (const replica of replicas) if (replica.running) await replica.kill()
}
