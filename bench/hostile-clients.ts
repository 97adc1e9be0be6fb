/**
 * Do hostile clients that are allowed to connect affect the other ones? Each scenario has its own proxy.
 *
 * silent, reading: clients pipeline commands that get a local reply, as fast as they can, and read no reply, or all of
 * them. Another app sends ten messages per second, each on a new connection.
 *
 * before-greeting, after-auth, after-data: clients send TLS records of one byte, as fast as they can. For the first half
 * of the time the upstream does not greet, or does not answer AUTH or DATA, so that the proxy must buffer what they send.
 *
 *   nice node bench/hostile-clients.ts [--seconds 10] [--pipelining 8] [--records 10] [--only SCENARIO]
 *
 * SECONDS is at most 40, because the proxy waits 25 s for a greeting. What a session retains includes its share of what
 * the proxy allocates once, so measure with several clients.
 *
 * Meanwhile /livez is requested ten times per second. Exits with 1 when a goal is missed. The times also measure the
 * machine, unless the proxy and the clients have one core each.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ProcessStage } from '../test/support/processes/process-stage.ts'
import type { ProxyProcess } from '../test/support/processes/proxy-process.ts'
import { answerUntil } from '../test/support/sockets/answer-until.ts'
import { connectClient, type Peer } from '../test/support/sockets/scripted-peers.ts'
import type { PipeliningRole, RecordRole } from './hostile-players.ts'
import { PROBED, probe, type Turn } from './probe.ts'
import { startRehearsal } from './rehearsal.ts'
import { figuresOf, sendMessage, type Timed, timed } from './served.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    pipelining: { type: 'string', default: '8' },
    records: { type: 'string', default: '10' },
    only: { type: 'string' },
  },
})
const SECONDS = Number(values.seconds)
const MEBIBYTE = 2 ** 20
const EVERY_MS = 100

const GOALS = { residentMib: 200, messageP50Ms: 50, retainedMib: 1, turnMs: 100 }

/** Prints a figure and whether it is below its goal. */
function compare(what: string, figure: number, goal: number, unit: string): void {
  const met = figure < goal
  if (!met) process.exitCode = 1
  console.log(`  ${what}: ${figure.toFixed(unit === 'MiB' ? 2 : 0)} ${unit}, goal ${goal}${met ? '' : ': MISSED'}`)
}

/** Compares CPU times, which other processes do not affect. */
function compareTurns(...turns: readonly Turn[]): void {
  compare('longest turn, CPU time', Math.max(...turns.map(({ cpuMs }) => cpuMs)), GOALS.turnMs, 'ms')
  console.log(`  longest turn by the clock: ${Math.max(...turns.map(({ wallMs }) => wallMs)).toFixed(0)} ms`)
}

function start(role: PipeliningRole | RecordRole, port: number, ...more: readonly string[]): ChildProcess {
  return fork(new URL('hostile-players.ts', import.meta.url), [role, `${port}`, ...more])
}

async function end(players: ChildProcess): Promise<void> {
  players.kill('SIGKILL')
  await once(players, 'exit')
}

function alive({ adminPort }: ProxyProcess): Promise<Timed> {
  return timed(async () => (await fetch(`http://127.0.0.1:${adminPort}/livez`)).ok)
}

async function pipelining(role: PipeliningRole): Promise<void> {
  await using rehearsal = await startRehearsal({}, PROBED)
  const { proxy } = rehearsal
  const undisturbed = await messagesFor(2, proxy, () => {})
  await probe(proxy)
  const players = start(role, proxy.port, values.pipelining)
  let resident = 0
  const look = () => {
    resident = Math.max(resident, rehearsal.residentMib())
  }
  const { messages, answers } = await messagesFor(SECONDS, proxy, look)
  await end(players)
  const { turn } = await probe(proxy)
  console.log(`${role}: ${values.pipelining} clients that pipeline commands with a local reply`)
  compare('resident memory at most', resident, GOALS.residentMib, 'MiB')
  compare('p50 of other messages', figuresOf(messages).p50, GOALS.messageP50Ms, 'ms')
  compare('failed', figuresOf(messages).failed, 1, 'messages')
  compareTurns(turn)
  console.log(`  messages: ${figuresOf(messages).text}; without those clients: ${figuresOf(undisturbed.messages).text}`)
  console.log(`  /livez: ${figuresOf(answers).text}`)
}

/** Another app's messages, and requests of /livez. Calls `look` with each. */
async function messagesFor(seconds: number, proxy: ProxyProcess, look: () => void) {
  const answers: Promise<Timed>[] = []
  const messages = await atARate(seconds, () => {
    look()
    answers.push(alive(proxy))
    return timed(() => sendMessage(proxy.port))
  })
  return { messages, answers: await Promise.all(answers) }
}

/** Begins an attempt every `EVERY_MS`, also while others wait: sequential attempts would notice a stall only once. */
async function atARate(seconds: number, attempt: () => Promise<Timed>): Promise<Timed[]> {
  const attempts: Promise<Timed>[] = []
  const began = performance.now()
  while (attempts.length * EVERY_MS < seconds * 1000) {
    attempts.push(attempt())
    await pause(Math.max(0, began + attempts.length * EVERY_MS - performance.now()))
  }
  return await Promise.all(attempts)
}

async function records(role: RecordRole): Promise<void> {
  // the upstream greets after half of the time
  await using stage = await ProcessStage.open({
    listener: 'smtps',
    env: { PROXY_DIAL_TIMEOUT: '25s' },
    options: PROBED,
  })
  await warmUp(stage)
  const before = await probe(stage.proxy)
  const residentBefore = stage.residentMib
  const players = start(role, stage.proxy.port, values.records, stage.caFile)
  const count = Number(values.records)
  const upstreams: Peer[] = []
  while (upstreams.length < count) upstreams.push(await stage.accept())
  await Promise.all(upstreams.map((upstream) => beforeFlood(stage, upstream, role)))
  const held = await answersFor(SECONDS / 2, stage.proxy)
  const resident = stage.residentMib - residentBefore
  const holding = await probe(stage.proxy)
  await Promise.all(upstreams.map((upstream) => afterFlood(stage, upstream, role)))
  const relayed = await answersFor(SECONDS / 2, stage.proxy)
  const relaying = await probe(stage.proxy)
  await end(players)
  const bytes = upstreams.reduce((sum, { log }) => sum + log.length, 0)
  console.log(`${role}: ${count} clients that send TLS records of one byte; ${bytes} bytes reached the upstream`)
  const retained = Math.max(holding.retained, relaying.retained) - before.retained
  compare('retained for a session', retained / count / MEBIBYTE, GOALS.retainedMib, 'MiB')
  compareTurns(holding.turn, relaying.turn)
  console.log(`  resident memory, garbage included: ${(resident / count).toFixed(2)} MiB more for a session`)
  console.log(`  /livez while held: ${figuresOf(held).text}; while relayed: ${figuresOf(relayed).text}`)
}

/** Plays some sessions, so that the proxy has loaded all code. */
async function warmUp(stage: ProcessStage): Promise<void> {
  for (let count = 0; count < 20; count += 1) {
    const connected = connectClient({ port: stage.proxy.port, tls: stage.clientTls })
    const upstream = await stage.accept()
    await stage.greet(upstream)
    const client = await connected
    await client.readReply()
    client.destroy()
    await upstream.closed()
  }
}

function answersFor(seconds: number, proxy: ProxyProcess): Promise<Timed[]> {
  return atARate(seconds, () => alive(proxy))
}

async function beforeFlood(stage: ProcessStage, upstream: Peer, role: RecordRole): Promise<void> {
  if (role === 'before-greeting') return
  await stage.greet(upstream)
  await answerUntil(upstream, role === 'after-auth' ? /^AUTH/ : /^DATA/)
}

async function afterFlood(stage: ProcessStage, upstream: Peer, role: RecordRole): Promise<void> {
  if (role === 'before-greeting') await stage.greet(upstream)
  else await upstream.send(role === 'after-auth' ? '235 welcome\r\n' : '354 go ahead\r\n')
}

const SCENARIOS = {
  silent: () => pipelining('silent'),
  reading: () => pipelining('reading'),
  'before-greeting': () => records('before-greeting'),
  'after-auth': () => records('after-auth'),
  'after-data': () => records('after-data'),
}

for (const [name, play] of Object.entries(SCENARIOS)) if ((values.only ?? name) === name) await play()
