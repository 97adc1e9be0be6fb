/** W4: idle sessions: their memory, their CPU time, and the latency of other messages beside them. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Idle, type Measured, ONLY, type Target, type Workload, withCpu } from './workload.ts'

const SESSIONS = 1000
const SESSIONS_SHORT = 300
/** Messages per second beside the idle sessions: few enough for every contender. */
const RATE = 100
const CONNECTIONS = 10
/** Time for handshakes to end after the client's last reply, and for upstream connections to close after the client's. */
const HANDSHAKES_END_MS = 200
/** Messages before the measured ones, while V8 compiles the code. */
const WARM_UP = 500
/**
 * Sessions before the measured ones, so that the memory of compiled code does not count as theirs. Few at a time, because the
 * measured sessions reuse the memory that earlier ones free, which would hide their own.
 */
const WARM_UP_SESSIONS = { times: 25, together: 20 }

export const w4: Workload = {
  id: 'W4',
  title: 'idle sessions, and 100 messages/s beside them',
  variants: ONLY,
  fresh: true,
  extraSeconds: 1.5,
  cannot: ({ id }) => (id === 'postfix' ? 'Postfix runs one process per session, and accepts 100' : undefined),
  measure: async (target) => {
    try {
      await warmUp(target, WARM_UP)
      await warmUpSessions(target)
      const idle = await measureIdle(target)
      await warmUp(target, WARM_UP)
      return { ...(await measureOthers(target)), idle }
    } finally {
      await hold(target, 0)
    }
  },
}

async function warmUp({ perform, place }: Target, messages: number): Promise<void> {
  await perform({ kind: 'closed', place, bytes: 2048, connections: CONNECTIONS, messages, style: 'keep' })
}

async function warmUpSessions(target: Target): Promise<void> {
  for (let time = 0; time < WARM_UP_SESSIONS.times; time += 1) await hold(target, WARM_UP_SESSIONS.together)
  await hold(target, 0)
  await pause(HANDSHAKES_END_MS)
}

async function hold({ perform, place }: Target, sessions: number): Promise<void> {
  await perform({ kind: 'idle', place, bytes: 0, sessions })
}

async function measureIdle(target: Target): Promise<Idle> {
  const sessions = target.short ? SESSIONS_SHORT : SESSIONS
  await target.collect()
  const memoryBefore = target.residentMib()
  await hold(target, sessions)
  await pause(HANDSHAKES_END_MS)
  await target.collect()
  const memory = target.residentMib()
  const before = target.cpuMs()
  const idleSeconds = target.seconds / 2
  await pause(idleSeconds * 1000)
  const cpu = target.cpuMs()
  if (memory === undefined || memoryBefore === undefined || cpu === undefined || before === undefined)
    return { sessions, kibPerSession: undefined, cpuMsPerSecond: undefined }
  return {
    sessions,
    kibPerSession: ((memory - memoryBefore) * 1024) / sessions,
    cpuMsPerSecond: (cpu - before) / idleSeconds,
  }
}

async function measureOthers(target: Target): Promise<Measured> {
  const { perform, place, seconds } = target
  const order = {
    kind: 'open',
    place,
    bytes: 2048,
    rate: RATE,
    seconds,
    leadSeconds: 0.2,
    connections: CONNECTIONS,
  } as const
  return { ...(await withCpu(target, () => perform(order))), rate: RATE }
}
