/**
 * One side closes, in every state of a message: what the other side sees, how the message ends, and that the proxy adds no
 * byte on either connection (RFC 5321 4.2.5, 6.1; RFC 1047).
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { Clock } from '../../support/in-process/clock.ts'
import {
  ALL_STATES,
  answeredUpTo,
  assertLaws,
  type State,
  sentUpTo,
  sessionAt,
} from '../../support/in-process/message-states.ts'
import { closeOf, mailOf } from '../../support/in-process/session-end.ts'
import { Stage, type StagedSession } from '../../support/in-process/stage.ts'
import type { Ending } from '../../support/sockets/scripted-peers.ts'

const SAID_421 = '421 4.3.2 mail.example shutting down\r\n'
const ACCEPTED = '250 2.0.0 r-000123\r\n'

/** How a session ends. */
interface Outcome {
  /** What the client read last, beyond the script. */
  readonly read: string
  /** How each side saw the other end; a side that resets has seen a reset. */
  readonly client: Ending | undefined
  readonly upstream: Ending | undefined
  /** The end of the message in flight; empty if there was none. */
  readonly mail: string
  readonly close: string
}

/** The states in which a message is in flight; in the others there is none. */
type InMail = 'MAIL unanswered' | 'in the envelope' | 'DATA unanswered' | 'in the body' | 'dot unanswered'

interface Fault {
  readonly what: string
  /** Does it, and waits until both sides have seen the end. */
  strike(session: StagedSession, state: State): Promise<void>
  readonly outcome: Omit<Outcome, 'mail'>
  readonly mail: Readonly<Record<InMail, string>>
}

const LOST = {
  'MAIL unanswered': 'tx-lost envelope tempfail upstream_lost',
  'in the envelope': 'tx-lost envelope tempfail upstream_lost',
  'DATA unanswered': 'tx-lost envelope tempfail upstream_lost',
  'in the body': 'tx-lost body tempfail upstream_lost',
  'dot unanswered': 'tx-lost final-reply in_doubt upstream_lost',
}

const GIVEN_UP = {
  'MAIL unanswered': 'tx-reset aborted',
  'in the envelope': 'tx-reset aborted',
  'DATA unanswered': 'tx-reset aborted',
  'in the body': 'tx-reset aborted',
  'dot unanswered': 'tx-lost final-reply in_doubt upstream_lost',
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'DIS-01 DIS-04 CMD-10': {
    what: 'the client closes',
    strike: async ({ client, upstream }) => {
      await client.end()
      await upstream.closed()
      await upstream.end()
      await client.closed()
    },
    outcome: { read: '', client: 'fin', upstream: 'fin', close: 'client client_closed' },
    mail: GIVEN_UP,
  },
  'DIS-01 DIS-05 DIS-10': {
    what: 'the client resets',
    strike: async ({ client, upstream }, state) => {
      await client.reset()
      // the final reply is still awaited, however late: the upstream must not lose its connection before it
      if (state === 'dot unanswered') await pause(50).then(() => upstream.send(ACCEPTED))
      await upstream.closed()
    },
    outcome: { read: '', client: 'reset', upstream: 'reset', close: 'client client_reset' },
    mail: { ...GIVEN_UP, 'dot unanswered': 'tx-commit accepted 250 undelivered END-OF-MESSAGE' },
  },
  'DIS-06 DIS-07 DIS-08': {
    what: 'the upstream closes',
    strike: async ({ client, upstream }) => {
      await upstream.end()
      await client.closed()
      await client.end()
      await upstream.closed()
    },
    outcome: { read: '', client: 'fin', upstream: 'fin', close: 'upstream upstream_closed' },
    mail: LOST,
  },
  'DIS-06 DIS-08': {
    what: 'the upstream resets',
    strike: async ({ client, upstream }) => {
      await upstream.reset()
      await client.closed()
    },
    outcome: { read: '', client: 'reset', upstream: 'reset', close: 'upstream upstream_reset' },
    mail: LOST,
  },
  'PIP-12 PIP-13 AHA-14': {
    what: 'the upstream sends 421 and closes',
    strike: async ({ client, upstream }) => {
      await upstream.send(SAID_421)
      await upstream.end()
      await client.closed()
      await client.end()
      await upstream.closed()
    },
    outcome: { read: SAID_421, client: 'fin', upstream: 'fin', close: 'upstream upstream_421' },
    mail: {
      'MAIL unanswered': 'tx-rollback tempfail 421 MAIL',
      'in the envelope': 'tx-rollback tempfail 421 UNSOLICITED',
      'DATA unanswered': 'tx-rollback tempfail 421 DATA',
      'in the body': 'tx-rollback tempfail 421 UNSOLICITED',
      'dot unanswered': 'tx-rollback tempfail 421 END-OF-MESSAGE',
    },
  },
}

function expected({ outcome, mail }: Pick<Fault, 'outcome' | 'mail'>, state: State): Outcome {
  return { ...outcome, mail: state in mail ? mail[state as InMail] : '' }
}

for (const listener of ['plain', 'smtps'] as const) {
  describe(`State x fault, with a client on a ${listener} listener`, () => {
    let stage: Stage
    before(async () => {
      stage = await Stage.open(listener)
    })
    after(() => stage.close())

    for (const [ids, fault] of Object.entries(FAULTS)) {
      for (const state of ALL_STATES) {
        test(`${fault.what}, ${state} (${ids.replaceAll(' ', ', ')})`, async () => {
          const session = await sessionAt(state, stage)
          await fault.strike(session, state)
          assert.deepEqual(await outcomeOf(session, state), expected(fault, state), String(session.client.transcript))
        })
      }
    }
  })
}

/** How a session ended that is over on both sides. Also checks the laws of the ledger. */
async function outcomeOf(session: StagedSession, state: State): Promise<Outcome> {
  const { client, upstream } = session
  const events = await session.events()
  const relayed = answeredUpTo(state)
  assertLaws(session, { client: sentUpTo(state), upstream: relayed + SAID_421 })
  return {
    read: client.log.all.toString('latin1').slice(relayed.length),
    client: client.ending,
    upstream: upstream.ending,
    mail: state === 'mail accepted' ? '' : mailOf(events),
    close: closeOf(events),
  }
}

/** One session in each state, on one stage. */
async function everyState(stage: Stage): Promise<Map<State, StagedSession>> {
  const sessions = new Map<State, StagedSession>()
  for (const state of ALL_STATES) {
    sessions.set(state, await sessionAt(state, stage))
  }
  return sessions
}

describe('The proxy itself ends a session', () => {
  for (const listener of ['plain', 'smtps'] as const) {
    test(`at once, in every state of a session on a ${listener} listener: both sides see a reset and no reply (LIF-03, LIF-04)`, async (t) => {
      const stage = await Stage.open(listener)
      t.after(() => stage.close())
      const sessions = await everyState(stage)
      await stage.server.close()
      const mail = Object.fromEntries(
        Object.entries(LOST).map(([state, lost]) => [state, lost.replace('upstream_lost', 'drained')]),
      )
      const outcome = { read: '', client: 'reset', upstream: 'reset', close: 'proxy drained' } as const
      for (const [state, session] of sessions) {
        await Promise.all([session.client.closed(), session.upstream.closed()])
        assert.deepEqual(
          await outcomeOf(session, state),
          expected({ outcome, mail: mail as Fault['mail'] }, state),
          state,
        )
      }
    })
  }

  test('because it is idle: with a 421 between messages, without a reply in a message, and latest after the final dot', async (t) => {
    const clock = new Clock()
    t.after(() => clock[Symbol.dispose]())
    const idleMs = 60_000
    const stage = await Stage.open('plain', {
      env: { PROXY_IDLE_TIMEOUT: '60s' },
      limits: { finalReplyMs: 3 * idleMs, tickMs: 20 },
    })
    t.after(() => stage.close())
    const sessions = await everyState(stage)
    clock.passes(idleMs)
    const mail = Object.fromEntries(
      Object.entries(LOST).map(([state, lost]) => [state, lost.replace('upstream_lost', 'idle_timeout')]),
    )
    mail['dot unanswered'] = 'tx-lost final-reply in_doubt final_reply_timeout'
    for (const state of [...ALL_STATES.filter((state) => state !== 'dot unanswered'), 'dot unanswered'] as const) {
      const session = sessions.get(state)!
      const told = ['greeted', 'between mails', 'mail accepted'].includes(state)
      const ended = told ? 'fin' : 'reset'
      if (state === 'dot unanswered') {
        await mayTakeLonger(session)
        clock.passes(idleMs)
        await mayTakeLonger(session)
        clock.passes(idleMs)
      }
      await Promise.all([session.client.closed(), session.upstream.closed()])
      await Promise.all([session.client.end(), session.upstream.end()])
      const outcome = {
        read: told ? localReplies.IDLE.bytes.toString() : '',
        client: ended,
        upstream: ended,
        close: 'proxy idle',
      } as const
      assert.deepEqual(
        await outcomeOf(session, state),
        expected({ outcome, mail: mail as Fault['mail'] }, state),
        state,
      )
    }
  })

  const LEAVINGS: readonly (readonly [string, (client: StagedSession['client']) => Promise<void>, string])[] = [
    ['ends its side', (client) => client.end(), 'client client_closed'],
    ['closes', async (client) => client.destroy(), 'client client_closed'],
    ['resets', (client) => client.reset(), 'client client_reset'],
  ]
  for (const [what, leave, close] of LEAVINGS) {
    test(`because the final reply never comes for a client that ${what} after its dot: that is the reason`, async (t) => {
      const clock = new Clock()
      t.after(() => clock[Symbol.dispose]())
      const stage = await Stage.open('plain', { limits: { finalReplyMs: 600_000, tickMs: 20 } })
      t.after(() => stage.close())
      const session = await sessionAt('dot unanswered', stage)
      await leave(session.client)
      await leftBehind(session, close)
      clock.passes(600_000)
      assert.equal(await session.upstream.closed(), close === 'client client_reset' ? 'reset' : 'fin')
      const events = await session.events()
      assert.equal(mailOf(events), 'tx-lost final-reply in_doubt final_reply_timeout')
      assert.equal(closeOf(events), close)
      session.client.destroy()
      session.upstream.destroy()
    })
  }

  /** The proxy, in this process, has read what the kernel had for it. */
  async function leftBehind({ upstream }: StagedSession, close: string): Promise<void> {
    if (close !== 'client client_reset') await upstream.closed()
    for (let turn = 0; turn < 3; turn += 1) await nextTurn()
  }

  /** The final reply is still awaited after the proxy has checked its limits. */
  async function mayTakeLonger({ client, upstream }: StagedSession): Promise<void> {
    await pause(100)
    assert.equal(client.ending ?? upstream.ending, undefined, 'the verdict may take longer')
  }
})
