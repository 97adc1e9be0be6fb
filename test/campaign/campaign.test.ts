/**
 * Random sessions, each played directly and through the proxy: bytes, replies and ends must agree, the laws must hold,
 * and the books must balance. The test prints its seed. `SEED=... node --test test/campaign/campaign.test.ts` replays
 * the same sessions. To play any number of sessions, use `npm run campaign`.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import { runCampaign, wrongIn } from './campaign.ts'
import { planOf } from './generator.ts'
import type { Plan } from './plan.ts'
import { play, type Run } from './play.ts'
import { completeReplies } from './reply-bytes.ts'
import { Stage } from './stage.ts'

const SESSIONS = 2000

describe('A campaign of random sessions (REL-01, REL-02, REL-09)', () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))

  test(`${SESSIONS} sessions: a client cannot tell the proxy from a direct connection, and the books balance`, async (context) => {
    context.diagnostic(`SEED=${seed}`)
    const { done, faulty, exact, failures } = await runCampaign({ seed, sessions: SESSIONS })
    assert.deepEqual(failures, [], failures.join('\n\n'))
    assert.equal(done, SESSIONS)
    assert.ok(faulty > SESSIONS / 4 && faulty < (SESSIONS * 3) / 4, `${faulty} sessions had a fault`)
    assert.ok(exact > SESSIONS / 2, `${exact} sessions were compared exactly`)
  })
})

/** Changes to the result of a run, as defects of the proxy would cause them. */
type Defect = (run: Run) => Run

const DEFECTS: Readonly<Record<string, Defect>> = {
  'a changed byte in a body': (run) => ({ ...run, up: changed(run.up) }),
  'a missing last byte': (run) => ({ ...run, up: run.up.subarray(0, -1) }),
  'an end of a message that the client did not write': (run) => ({ ...run, up: Buffer.concat([run.up, END]) }),
  'bytes that arrive twice': (run) => ({ ...run, up: Buffer.concat([run.up, run.up]) }),
  'a lost reply': (run) => replies(run, (all) => [...all.slice(0, 1), ...all.slice(2)]),
  'two replies in the wrong order': (run) => replies(run, ([a, b, c, ...rest]) => [a!, c!, b!, ...rest]),
  'a reply that arrives twice': (run) => replies(run, ([a, ...rest]) => [a!, a!, ...rest]),
  'half a reply': (run) => ({ ...run, down: run.down.subarray(0, -3) }),
  'an invented acceptance': (run) => ({
    ...run,
    sent: run.sent.filter(({ command }) => command !== 'END-OF-MESSAGE'),
  }),
  'a reset of the connection': (run) => ({ ...run, clientSaw: 'reset' }),
  'a reply that is counted twice': (run) => ({
    ...run,
    events: run.events.flatMap((event): SessionEvent[] => (event.type === 'exchange' ? [event, event] : [event])),
  }),
  'a reply that is not counted': (run) => ({
    ...run,
    events: run.events.filter((event) => event.type !== 'exchange' || event.command !== 'MAIL'),
  }),
  'a message that is counted with a wrong size': (run) => ({
    ...run,
    events: run.events.map((event) => (event.type === 'tx-commit' ? { ...event, size: event.size + 1 } : event)),
  }),
  'a session that the proxy stops interpreting': (run) => ({
    ...run,
    events: [...run.events, { type: 'session-opaque', at: 0, reason: 'reply_mismatch' }],
  }),
}

const END = Buffer.from('.\r\n')

function changed(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const middle = copy.length >> 1
  copy[middle] = copy[middle]! ^ 1
  return copy
}

function replies(run: Run, change: (replies: readonly Buffer[]) => readonly Buffer[]): Run {
  return { ...run, down: Buffer.concat(change(completeReplies(run.down).replies)) }
}

describe('A campaign reports', () => {
  let stage: Stage
  let plan: Plan
  let direct: Run
  let proxied: Run

  before(async () => {
    stage = await Stage.open()
    plan = acceptedMessage()
    direct = await play(plan, 'direct', await stage.connect(plan, 'direct'))
    proxied = await play(plan, 'proxied', await stage.connect(plan, 'proxied'))
  })
  after(() => stage.close())

  test('no failure when nothing is wrong', () => {
    assert.deepEqual(wrongIn(plan, direct, proxied), [])
  })

  for (const [what, defect] of Object.entries(DEFECTS)) {
    test(what, () => {
      assert.notDeepEqual(wrongIn(plan, direct, defect(proxied)), [])
    })
  }
})

/** The first plan of a run that has an accepted message of some size, and no fault. */
function acceptedMessage(): Plan {
  for (let number = 0; ; number += 1) {
    const plan = planOf(1, number)
    const accepted = plan.groups
      .flat()
      .some(
        ({ command, replies, bytes }) =>
          command === 'END-OF-MESSAGE' && replies[0]!.code === 250 && bytes.length > 1000,
      )
    if (accepted && !plan.fault && !plan.mayBeOpaque && !plan.sizeByTiming) return plan
  }
}
