/**
 * Somebody goes away, in every state that a mail passes through: what the other side sees, what becomes of the mail, and
 * that no octet is invented on either leg (RFC 5321 4.2.5, 6.1; RFC 1047).
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { SessionEvent } from '../proxy/events.ts'
import * as words from '../proxy/own-words.ts'
import { openBlackHole } from './support/black-hole.ts'
import { makeTrust, type Scene, startDialRig, startScene, type Trust } from './support/dial-rig.ts'
import { Stage, type StagedSession } from './support/in-process.ts'
import { answeredUpTo, assertLaws, bringTo, STATES, type State, saidUpTo } from './support/mail-states.ts'
import { OpenResources } from './support/open-resources.ts'
import type { Ending, Peer } from './support/peers.ts'

const SAID_421 = '421 4.3.2 mail.example shutting down\r\n'
const ACCEPTED = '250 2.0.0 r-000123\r\n'

/** What a session comes to. */
interface Outcome {
  /** What the client read last, beyond the script. */
  readonly read: string
  /** How each saw the other side end; who resets has seen a reset. */
  readonly client: Ending | undefined
  readonly upstream: Ending | undefined
  /** The end of the mail under way; empty when there was none. */
  readonly mail: string
  readonly close: string
}

/** The last states of a mail in progress; in the others there is none. */
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
  'DIS-05 DIS-10': {
    what: 'the client resets',
    strike: async ({ client, upstream }, state) => {
      await client.reset()
      // the verdict is still wanted, however late: the upstream must not lose its connection before it
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
  'DIS-12': {
    what: 'the upstream says 421 and closes',
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
      for (const state of Object.keys(STATES) as State[]) {
        test(`${ids}: ${fault.what}, ${state}`, async () => {
          const session = await stage.connect()
          await bringTo(state, session)
          await fault.strike(session, state)
          assert.deepEqual(await outcomeOf(session, state), expected(fault, state), String(session.client.transcript))
        })
      }
    }
  })
}

/** What became of a session that is over on both sides. Checks the laws of the ledger besides. */
async function outcomeOf(session: StagedSession, state: State): Promise<Outcome> {
  const { client, upstream } = session
  const events = await session.events()
  const relayed = answeredUpTo(state)
  assertLaws(session, { client: saidUpTo(state), upstream: relayed + SAID_421 })
  return {
    read: client.log.all.toString('latin1').slice(relayed.length),
    client: client.ending,
    upstream: upstream.ending,
    mail: state === 'mail accepted' ? '' : mailOf(events),
    close: closeOf(events),
  }
}

/** The end of the mail, and what was lost of its reply. */
function mailOf(events: readonly SessionEvent[]): string {
  return events.flatMap(wordsOfMail).join(' ')
}

function wordsOfMail(event: SessionEvent): (string | number)[] {
  switch (event.type) {
    case 'tx-commit':
      return [event.type, event.outcome, event.reply!.code]
    case 'tx-rollback':
      return [event.type, event.outcome, event.error!, event.command!]
    case 'tx-reset':
      return [event.type, event.outcome]
    case 'tx-lost':
      return [event.type, event.stage, event.outcome, event.error!]
    case 'reply-lost':
      return [event.loss, event.command]
    default:
      return []
  }
}

/** Who ended the session, and why. Fails when it was told more than once. */
function closeOf(events: readonly SessionEvent[]): string {
  const closes = events.filter((event) => event.type === 'session-close')
  assert.equal(closes.length, 1)
  assert.equal(events.at(-1), closes[0], 'nothing behind it')
  return `${closes[0]!.by} ${closes[0]!.reason}`
}

const ALL_STATES = Object.keys(STATES) as State[]

/** One session in each state, on one stage. */
async function everyState(stage: Stage): Promise<Map<State, StagedSession>> {
  const sessions = new Map<State, StagedSession>()
  for (const state of ALL_STATES) {
    const session = await stage.connect()
    await bringTo(state, session)
    sessions.set(state, session)
  }
  return sessions
}

describe('The proxy itself ends a session', () => {
  for (const listener of ['plain', 'smtps'] as const) {
    test(`LIF-03 LIF-04: at once, in every state of a session on a ${listener} listener: both sides see a reset, and not a word`, async () => {
      const stage = await Stage.open(listener)
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
      await stage.close()
    })
  }

  test('because nothing moves: with a 421 between mails, without a word in a mail, at the dot last of all', async () => {
    const finalReplyMs = 1600
    const stage = await Stage.open('plain', {
      env: { PROXY_IDLE_TIMEOUT: '1s' },
      limits: { finalReplyMs, tickMs: 20 },
    })
    const sessions = await everyState(stage)
    const began = performance.now()
    const mail = Object.fromEntries(
      Object.entries(LOST).map(([state, lost]) => [state, lost.replace('upstream_lost', 'idle_timeout')]),
    )
    mail['dot unanswered'] = 'tx-lost final-reply in_doubt final_reply_timeout'
    for (const [state, session] of sessions) {
      const told = ['greeted', 'between mails', 'mail accepted'].includes(state)
      const ended = told ? 'fin' : 'reset'
      await Promise.all([session.client.closed(), session.upstream.closed()])
      if (state === 'dot unanswered')
        assert.ok(performance.now() - began > finalReplyMs - 200, 'the verdict may take longer')
      await Promise.all([session.client.end(), session.upstream.end()])
      const outcome = {
        read: told ? words.IDLE.bytes.toString() : '',
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
    await stage.close()
  })
})

describe('Before the greeting', () => {
  let trust: Trust
  before(async () => {
    trust = await makeTrust()
  })
  after(() => trust.remove())

  /** What upstreams do before they have greeted, and what the client is told. */
  const UPSTREAMS: readonly (readonly [string, (peer: Peer) => Promise<unknown>, string])[] = [
    ['the upstream closes', (peer) => peer.end(), words.UNREACHABLE.bytes.toString()],
    ['the upstream resets', (peer) => peer.reset(), words.UNREACHABLE.bytes.toString()],
    [
      'the upstream says half a greeting and closes',
      (peer) => peer.send('220-mail').then(() => peer.end()),
      words.UNREACHABLE.bytes.toString(),
    ],
    ['the upstream is silent', async () => {}, words.UNREACHABLE.bytes.toString()],
    ['the upstream says 421 and closes', (peer) => peer.send(SAID_421).then(() => peer.end()), SAID_421],
  ]
  for (const [what, does, told] of UPSTREAMS) {
    test(`DIS-11: ${what}: the client is told, once, and both are closed`, async () => {
      using resources = new OpenResources()
      {
        await using scene = await startScene(trust, { env: { PROXY_DIAL_TIMEOUT: '300ms' } })
        const { client, peer } = await scene.meet()
        await does(peer)
        assert.equal(await client.closed(), 'fin')
        assert.equal(client.log.all.toString(), told)
        await client.end()
        await peer.closed()
        peer.destroy()
        await scene.recorder.closed()
      }
      await resources.allClosed(what)
    })
  }

  const CLIENTS: readonly (readonly [string, (client: Peer) => Promise<void>])[] = [
    ['closes', (client) => client.end()],
    ['resets', (client) => client.reset()],
  ]
  for (const [what, does] of CLIENTS) {
    test(`DIS-11: the client ${what} while the upstream is connected to: the attempt is given up`, async () => {
      await using hole = await openBlackHole('127.0.0.1')
      using resources = new OpenResources()
      {
        await using rig = await startDialRig([`127.0.0.1:${hole.port}`], trust, { env: { PROXY_DIAL_TIMEOUT: '20s' } })
        const client = await rig.connect()
        await does(client)
        assert.equal((await rig.recorder.closed()).all('session-close').length, 1)
        client.destroy()
      }
      await resources.allClosed(what)
    })

    test(`DIS-11: the client ${what} while the greeting is awaited: the upstream is left`, async () => {
      using resources = new OpenResources()
      {
        await using scene = await startScene(trust)
        const { client, peer } = await scene.meet()
        await does(client)
        await peer.closed()
        await left(scene)
        assert.equal(peer.log.length, 0)
        client.destroy()
        peer.destroy()
      }
      await resources.allClosed(what)
    })
  }

  async function left(scene: Scene): Promise<void> {
    const { by } = (await scene.recorder.closed()).one('session-close')
    assert.equal(by, 'client')
  }
})

describe('Who closes while something is still to be said', () => {
  for (const listener of ['plain', 'smtps'] as const) {
    describe(`on a ${listener} listener`, () => {
      let stage: Stage
      before(async () => {
        stage = await Stage.open(listener)
      })
      after(() => stage.close())

      test('DIS-02: a client that says QUIT and closes still reads the 221', async () => {
        const session = await at('between mails')
        const { client, upstream } = session
        await client.send('QUIT\r\n')
        await client.end()
        assert.equal(await upstream.readLine(), 'QUIT\r\n')
        assert.equal(await upstream.closed(), 'fin')
        await upstream.send('221 bye\r\n')
        await upstream.end()
        assert.equal(await client.readReply(), '221 bye\r\n')
        assert.equal(await client.closed(), 'fin')
        assert.equal(closeOf(await session.events()), 'client quit')
      })

      test('DIS-03: a client that sends the last dot and closes still reads the 250', async () => {
        const session = await at('in the body')
        const { client, upstream } = session
        await client.send('.\r\n')
        await client.end()
        await upstream.readUntil('.\r\n')
        assert.equal(await upstream.closed(), 'fin')
        await upstream.send(ACCEPTED)
        await upstream.end()
        assert.equal(await client.readReply(), ACCEPTED)
        assert.equal(await client.closed(), 'fin')
        assert.equal(mailOf(await session.events()), 'tx-commit accepted 250')
      })

      test('DIS-09: a 250 and a FIN in one segment: the client reads the 250, then the end', async () => {
        const session = await at('dot unanswered')
        const { client, upstream } = session
        await Promise.all([upstream.send(ACCEPTED), upstream.end()])
        assert.equal(await client.readReply(), ACCEPTED)
        assert.equal(await client.closed(), 'fin')
        await client.end()
        await upstream.closed()
        const events = await session.events()
        assert.deepEqual([mailOf(events), closeOf(events)], ['tx-commit accepted 250', 'upstream upstream_closed'])
      })

      test('DIS-12: a 421 is read at once, and the connection is closed when the upstream closes it, not before', async () => {
        const session = await at('between mails')
        const { client, upstream } = session
        await upstream.send(SAID_421)
        assert.equal(await client.readReply(), SAID_421)
        await client.send('NOOP\r\n')
        assert.equal(await upstream.readLine(), 'NOOP\r\n')
        assert.equal(client.ending, undefined)
        await upstream.end()
        assert.equal(await client.closed(), 'fin')
        await client.end()
        await session.events()
      })

      test('DIS-14: an upstream that closes its half goes on reading what the client sends', async () => {
        const session = await at('in the body')
        const { client, upstream } = session
        await upstream.end()
        assert.equal(await client.closed(), 'fin')
        await client.send('more of the body\r\n')
        assert.equal(await upstream.readLine(), 'more of the body\r\n')
        await client.end()
        assert.equal(await upstream.closed(), 'fin')
        assert.equal(mailOf(await session.events()), LOST['in the body'])
      })

      test('DIS-15: a reply that comes in four pieces is delivered when it is whole, and not before', async () => {
        const session = await at('between mails')
        const { client, upstream } = session
        await client.send('NOOP\r\n')
        await upstream.readLine()
        const read = client.log.length
        for (const piece of ['2', '50 o', 'k\r']) {
          await upstream.send(piece)
          await pause(20)
          assert.equal(client.log.length, read)
        }
        await upstream.send('\n')
        assert.equal(await client.readReply(), '250 ok\r\n')
        await goodbye(session)
      })

      test('DIS-15: half a final reply is no reply: it is dropped, counted, and the close is mirrored', async () => {
        const session = await at('dot unanswered')
        const { client, upstream } = session
        await upstream.send('250-2.0.0 first line\r\n250 2.0.0 r-0001')
        await upstream.end()
        assert.equal(await client.closed(), 'fin')
        await client.end()
        const events = await session.events()
        assert.equal(client.log.unread.length, 0)
        assert.equal(mailOf(events), `incomplete END-OF-MESSAGE ${LOST['dot unanswered']}`)
      })

      test('DAT-09: a client that is told 421 in its body, and reads last of all, still finds the 421', async () => {
        const session = await at('in the body')
        const { client, upstream } = session
        client.pause()
        await upstream.send(SAID_421)
        upstream.destroy()
        // more than the kernel's buffers hold: somebody has to read it, or the client never comes to its reply
        const body = Buffer.alloc(8 * 1024 * 1024, 'all that was to be said\r\n')
        await client.send(body)
        await client.end()
        client.resume()
        assert.equal(await client.readReply(), SAID_421)
        assert.equal(await client.closed(), 'fin')
        assert.equal(mailOf(await session.events()), 'tx-rollback tempfail 421 UNSOLICITED')
      })

      test('DIS-13: both sides reset at once (300 times): nothing is left and nothing throws', async () => {
        for (let run = 0; run < 300; run += 1) {
          const state = ALL_STATES[run % ALL_STATES.length]!
          const { client, upstream, events } = await at(state)
          await (run % 2 === 0
            ? Promise.all([client.reset(), upstream.reset()])
            : Promise.all([upstream.reset(), client.reset()]))
          closeOf(await events())
        }
        assert.equal(stage.server.activeSessions, 0)
      })

      async function at(state: State): Promise<StagedSession> {
        const session = await stage.connect()
        await bringTo(state, session)
        return session
      }
    })
  }
})

async function goodbye({ client, upstream, events }: StagedSession): Promise<void> {
  await client.end()
  await upstream.closed()
  await upstream.end()
  await client.closed()
  await events()
}
