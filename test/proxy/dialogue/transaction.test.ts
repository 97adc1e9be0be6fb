/** A transaction ends exactly once, in one event, whatever happens to it (RFC 5321 3.3). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Transaction, verdictOf } from '../../../proxy/dialogue/transaction.ts'
import type { CommandName, TransactionError } from '../../../proxy/events/closed-sets.ts'
import type { ReplyFacts } from '../../../proxy/events/reply.ts'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import { HeaderScanner } from '../../../proxy/smtp/header.ts'

function reply(code: number): ReplyFacts {
  return { code, cause: 'none', origin: 'upstream' }
}

/** What happens to a transaction, in short. */
const STEPS = {
  rcpt: (mail: Transaction, code: number) => mail.recipient(reply(code), 1, 2),
  body: (mail: Transaction) => mail.body(3),
  bytes: (mail: Transaction, size: number) => {
    mail.size = size
  },
  verdict: (mail: Transaction, code: number) => mail.decide('END-OF-MESSAGE', reply(code), 4),
  data: (mail: Transaction, code: number) => mail.decide('DATA', reply(code), 4),
  refuse: (mail: Transaction, code: number) => mail.refuse({ command: 'UNSOLICITED', reply: reply(code) }, 4),
  unsubscribe: (mail: Transaction) =>
    mail.decide('END-OF-MESSAGE', { code: 451, cause: 'unsubscribe_link', origin: 'upstream' }, 4),
  drained: (mail: Transaction) => mail.decide('MAIL', { code: 421, cause: 'draining', origin: 'proxy' }, 4),
  abandon: (mail: Transaction) => mail.abandon(4),
  lost: (mail: Transaction) => mail.lose(false, 'upstream_lost', 4),
  lostBehindDot: (mail: Transaction) => mail.lose(true, 'upstream_lost', 4),
}

type Step = readonly [keyof typeof STEPS, number?]

/** The end of a transaction, in short: type, outcome, what decided, recipients accepted/tempfail/permfail. */
function ended(events: readonly SessionEvent[]): string {
  const ends = events.filter(({ type }) => ['tx-commit', 'tx-rollback', 'tx-reset', 'tx-lost'].includes(type))
  assert.equal(ends.length, 1, 'one end')
  const end = ends[0] as SessionEvent & {
    readonly outcome: string
    readonly error?: TransactionError
    readonly command?: CommandName
    readonly reply?: ReplyFacts
    readonly stage?: string
    readonly recipients: { accepted: number; tempfail: number; permfail: number }
  }
  const { accepted, tempfail, permfail } = end.recipients
  const parts = [end.type, end.stage, end.outcome, end.error, end.command, end.reply?.code]
  return [...parts.filter((part) => part !== undefined), `${accepted}/${tempfail}/${permfail}`].join(' ')
}

const CASES: readonly { readonly what: string; readonly steps: readonly Step[]; readonly end: string }[] = [
  {
    what: 'is accepted by the final 250',
    steps: [['rcpt', 250], ['body'], ['verdict', 250]],
    end: 'tx-commit accepted END-OF-MESSAGE 250 1/0/0',
  },
  {
    what: 'is accepted for the recipients that were accepted',
    steps: [['rcpt', 250], ['rcpt', 550], ['rcpt', 451], ['body'], ['verdict', 250]],
    end: 'tx-commit accepted END-OF-MESSAGE 250 1/1/1',
  },
  {
    what: 'ends as drained if the proxy refuses MAIL while it stops',
    steps: [['drained']],
    end: 'tx-rollback tempfail drained MAIL 421 0/0/0',
  },
  {
    what: 'is refused temporarily if its unsubscribe link is missing',
    steps: [['rcpt', 250], ['body'], ['unsubscribe']],
    end: 'tx-rollback tempfail unsubscribe_link END-OF-MESSAGE 451 1/0/0',
  },
  {
    what: 'is refused temporarily by a final 4yz',
    steps: [['rcpt', 250], ['body'], ['verdict', 451]],
    end: 'tx-rollback tempfail 451 END-OF-MESSAGE 451 1/0/0',
  },
  {
    what: 'is refused permanently by a final 5yz',
    steps: [['rcpt', 250], ['body'], ['verdict', 552]],
    end: 'tx-rollback permfail 552 END-OF-MESSAGE 552 1/0/0',
  },
  {
    what: 'is in doubt if the final reply is neither 2yz, 4yz nor 5yz',
    steps: [['rcpt', 250], ['body'], ['verdict', 354]],
    end: 'tx-lost final-reply in_doubt 354 1/0/0',
  },
  {
    what: 'is refused at DATA',
    steps: [
      ['rcpt', 250],
      ['data', 451],
    ],
    end: 'tx-rollback tempfail 451 DATA 451 1/0/0',
  },
  {
    what: 'was refused by its last recipient if the reply to DATA only repeats that',
    steps: [
      ['rcpt', 450],
      ['rcpt', 550],
      ['data', 554],
    ],
    end: 'tx-rollback permfail 550 RCPT 550 0/1/1',
  },
  {
    what: 'was refused at DATA if a recipient was accepted',
    steps: [
      ['rcpt', 250],
      ['rcpt', 550],
      ['data', 554],
    ],
    end: 'tx-rollback permfail 554 DATA 554 1/0/1',
  },
  {
    what: 'is refused by a 421, and not by a refusal before it',
    steps: [
      ['rcpt', 550],
      ['refuse', 421],
    ],
    end: 'tx-rollback tempfail 421 UNSOLICITED 421 0/0/1',
  },
  { what: 'is abandoned by the client', steps: [['rcpt', 250], ['abandon']], end: 'tx-reset aborted 1/0/0' },
  { what: 'is abandoned before any recipient', steps: [['abandon']], end: 'tx-reset aborted 0/0/0' },
  {
    what: 'that is abandoned because no recipient was accepted was refused by the last recipient',
    steps: [['rcpt', 553], ['abandon']],
    end: 'tx-rollback permfail 553 RCPT 553 0/0/1',
  },
  {
    what: 'is lost in the envelope',
    steps: [['rcpt', 250], ['lost']],
    end: 'tx-lost envelope tempfail upstream_lost 1/0/0',
  },
  {
    what: 'is lost in the body',
    steps: [['rcpt', 250], ['body'], ['lost']],
    end: 'tx-lost body tempfail upstream_lost 1/0/0',
  },
  {
    what: 'is in doubt if the connection ends after the final dot',
    steps: [['rcpt', 250], ['body'], ['lostBehindDot']],
    end: 'tx-lost final-reply in_doubt upstream_lost 1/0/0',
  },
  {
    what: 'without accepted recipients was refused, not lost, if the connection ends',
    steps: [['rcpt', 451], ['lost']],
    end: 'tx-rollback tempfail 451 RCPT 451 0/1/0',
  },
  {
    what: 'ignores a reply to RCPT that is neither 2yz, 4yz nor 5yz',
    steps: [['rcpt', 354], ['rcpt', 0], ['abandon']],
    end: 'tx-reset aborted 0/0/0',
  },
]

/** Every way in which a transaction can end. */
const ENDS: readonly Step[] = [
  ['verdict', 250],
  ['verdict', 550],
  ['verdict', 354],
  ['data', 451],
  ['refuse', 421],
  ['abandon'],
  ['lost'],
  ['lostBehindDot'],
]

function play(steps: readonly Step[]): { readonly mail: Transaction; readonly events: SessionEvent[] } {
  const events: SessionEvent[] = []
  const mail = new Transaction((event) => events.push(event))
  for (const [step, number = 0] of steps) STEPS[step](mail, number)
  return { mail, events }
}

describe('A transaction', () => {
  for (const { what, steps, end } of CASES) {
    test(what, () => {
      const { mail, events } = play(steps)
      assert.equal(ended(events), end)
      assert.equal(mail.ended, true)
    })
  }

  for (const first of ENDS) {
    test(`that ended by ${first.join(' ')} does not end again`, () => {
      const once = play([first]).events
      for (const second of ENDS) assert.deepEqual(play([first, second]).events, once, second.join(' '))
    })
  }

  test('reports its recipients as they are answered', () => {
    const { events } = play([
      ['rcpt', 250],
      ['rcpt', 450],
      ['rcpt', 550],
      ['rcpt', 354],
    ])
    const verdicts = events.map((event) => (event.type === 'tx-rcpt' ? event.verdict : event.type))
    assert.deepEqual(verdicts, ['accepted', 'tempfail', 'permfail'])
  })

  test('reports the begin of its body once, and its size at the end', () => {
    const { events } = play([['body'], ['body'], ['bytes', 77], ['verdict', 250]])
    assert.deepEqual(
      events.map((event) => event.type),
      ['tx-data', 'tx-commit'],
    )
    const end = events[1]!
    assert.deepEqual('size' in end && [end.size, end.hasBody], [77, true])
  })
})

describe('A transaction whose header section is read', () => {
  const FIELD = Buffer.from('AhaSend-Sandbox: true\r\n')

  for (const end of ENDS) {
    test(`reports at its end (${end.join(' ')}) what was found, and searches no more`, () => {
      const events: SessionEvent[] = []
      const mail = new Transaction((event) => events.push(event))
      const headers = new HeaderScanner()
      mail.headers = headers
      headers.push(FIELD, 0, FIELD.length)
      STEPS[end[0]](mail, end[1] ?? 0)
      const last = events.at(-1)!
      assert.deepEqual('headers' in last && last.headers, { sandbox: true })
      assert.equal(headers.done, true)
    })
  }

  test('reports nothing if nothing was found', () => {
    const events: SessionEvent[] = []
    const mail = new Transaction((event) => events.push(event))
    mail.headers = new HeaderScanner()
    mail.abandon(4)
    assert.equal('headers' in events[0]!, false)
  })
})

test('A recipient has an address only if it may be recorded', () => {
  const events: SessionEvent[] = []
  const mail = new Transaction((event) => events.push(event))
  mail.recipient(reply(250), 1, 2, 'example.net')
  mail.recipient(reply(250), 1, 2)
  assert.deepEqual(
    events.map((event) => 'recipient' in event && event.recipient),
    ['example.net', false],
  )
})

test('The class of a code is a verdict, except below 200 and from 300 to 399', () => {
  const expected = {
    200: 'accepted',
    299: 'accepted',
    400: 'tempfail',
    499: 'tempfail',
    500: 'permfail',
    599: 'permfail',
  }
  for (const [code, verdict] of Object.entries(expected)) assert.equal(verdictOf(Number(code)), verdict)
  for (const code of [0, 199, 300, 354, 399]) assert.equal(verdictOf(code), undefined)
})
