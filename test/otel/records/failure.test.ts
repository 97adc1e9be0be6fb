import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  decidesSession,
  dialFailure,
  exchangeFailure,
  type Failure,
  messageFailure,
  overcomes,
  sessionFailure,
} from '../../../otel/records/failure.ts'
import type { Exchange, MessageRecord, SessionRecord } from '../../../otel/records/records.ts'
import type { CommandName, ReplyCause } from '../../../proxy/events/closed-sets.ts'
import type { Dial } from '../../../proxy/events/dial.ts'
import type { TransactionEnd } from '../../../proxy/events/transaction.ts'
import { dial, reply, SessionStory } from '../../support/telemetry/session-events.ts'

function exchange(command: CommandName, code?: number, cause: ReplyCause = 'none'): Exchange {
  return { command, at: 0, end: 1, ...(code !== undefined && { reply: reply(code, { cause }) }) }
}

describe('A message', () => {
  const recipients = { accepted: 0, tempfail: 0, permfail: 0 }
  const failureOf = (end: Pick<TransactionEnd, 'outcome' | 'error' | 'reply'>) =>
    messageFailure({ end: { at: 1, size: 0, hasBody: false, recipients, ...end } } as MessageRecord)
  const cases: readonly (readonly [end: Pick<TransactionEnd, 'outcome' | 'error' | 'reply'>, failure?: Failure])[] = [
    [{ outcome: 'accepted' }],
    [{ outcome: 'aborted' }],
    [{ outcome: 'tempfail', error: '451', reply: reply(451) }, { type: '451' }],
    [
      { outcome: 'permfail', error: '521', reply: reply(521, { cause: 'account_disabled' }) },
      { type: '521', hint: 'account_disabled' },
    ],
    [{ outcome: 'in_doubt', error: 'upstream_lost' }, { type: 'upstream_lost' }],
    [{ outcome: 'tempfail' }, { type: '_OTHER' }],
  ]
  for (const [end, expected] of cases)
    test(`${end.outcome} ${end.error ?? ''}: ${expected?.type ?? 'no failure'}`, () =>
      assert.deepEqual(failureOf(end), expected))
})

describe('A command', () => {
  const cases: readonly (readonly [what: string, exchange: Exchange, failure?: Failure])[] = [
    ['a 250', exchange('MAIL', 250)],
    ['a 354', exchange('DATA', 354)],
    ['a 550', exchange('RCPT', 550), { type: '550' }],
    ['a 421 with a cause', exchange('MAIL', 421, 'draining'), { type: '421', hint: 'draining' }],
    ['a line that is not a reply', exchange('MAIL', 0), { type: '0' }],
    ['no reply, and the client did not wait', exchange('MAIL')],
    ['no reply', { ...exchange('MAIL'), error: 'upstream_lost' }, { type: 'upstream_lost' }],
  ]
  for (const [what, one, expected] of cases)
    test(`with ${what}: ${expected?.type ?? 'no failure'}`, () => assert.deepEqual(exchangeFailure(one), expected))
})

test('a dial fails with its error, and the detail is the hint', () => {
  assert.equal(dialFailure(dial()), undefined)
  assert.deepEqual(dialFailure(dial({ error: 'connect_refused' })), { type: 'connect_refused' })
  assert.deepEqual(dialFailure(dial({ error: 'tls_untrusted', detail: 'CERT_HAS_EXPIRED' })), {
    type: 'tls_untrusted',
    hint: 'CERT_HAS_EXPIRED',
  })
})

describe('A session', () => {
  interface Facts {
    readonly reason: SessionRecord['close']['reason']
    readonly detail?: string
    readonly tlsFailure?: SessionRecord['session']['tlsFailure']
    readonly dials?: readonly Dial[]
    readonly refusal?: Exchange
  }
  const recordOf = ({ reason, detail, tlsFailure, dials = [], refusal }: Facts): SessionRecord => ({
    session: {
      open: new SessionStory().opening,
      server: 'send.example',
      preconnected: false,
      dials,
      dialCount: dials.length,
      ...(tlsFailure && { tlsFailure }),
    },
    close: {
      type: 'session-close',
      at: 1,
      by: 'client',
      reason,
      ...(detail !== undefined && { detail }),
      transmit: 0,
      receive: 0,
      messages: 0,
    },
    exchanges: [],
    omitted: 0,
    ...(refusal && { refusal }),
  })
  const tlsFailed = (error: 'app_tls_alpn' | 'app_tls_closed') => ({ type: 'tls-failed', at: 0, error }) as const
  const failed = [dial({ error: 'connect_timeout' }), dial({ error: 'connect_refused' })]
  const cases: readonly (readonly [what: string, facts: Facts, failure?: Failure])[] = [
    ['that ended with QUIT', { reason: 'quit' }],
    ['that was idle', { reason: 'idle' }],
    ['whose client left', { reason: 'client_reset' }],
    ['whose upstream closed', { reason: 'upstream_closed' }, { type: 'upstream_lost', hint: 'upstream_closed' }],
    ['that ended with an error', { reason: 'error' }, { type: 'upstream_lost', hint: 'error' }],
    ['without upstream: the last dial', { reason: 'dial_failed', dials: failed }, { type: 'connect_refused' }],
    ['that was not allowed', { reason: 'not_allowed' }, { type: 'not_allowed' }],
    [
      'with a bad PROXY header',
      { reason: 'proxy_header', detail: 'timeout' },
      { type: 'proxy_header', hint: 'timeout' },
    ],
    ['with a refused AUTH', { reason: 'quit', refusal: exchange('AUTH', 535) }, { type: '535' }],
    ['that got an idle 421', { reason: 'upstream_421', refusal: exchange('UNSOLICITED', 421, 'idle_timeout') }],
    ['that was drained', { reason: 'drained', refusal: exchange('UNSOLICITED', 421, 'draining') }],
    [
      'with a TLS failure, whatever else failed',
      { reason: 'upstream_closed', tlsFailure: tlsFailed('app_tls_alpn'), dials: failed },
      { type: 'app_tls_alpn' },
    ],
    ['of a port scanner', { reason: 'tls_failed', tlsFailure: tlsFailed('app_tls_closed') }],
  ]
  for (const [what, facts, expected] of cases)
    test(`${what}: ${expected?.type ?? 'no failure'}`, () =>
      assert.deepEqual(sessionFailure(recordOf(facts)), expected))
})

for (const [one, decides] of [
  [exchange('CONNECT', 554), true],
  [exchange('EHLO', 502), true],
  [exchange('AUTH', 535), true],
  [exchange('AUTH', 235), false],
  [exchange('RCPT', 503), false],
  [exchange('RCPT', 421), true],
  [exchange('UNSOLICITED', 421), true],
  [exchange('VRFY', 502), false],
  [exchange('AUTH'), false],
] as const)
  test(`${one.command} ${one.reply?.code ?? 'without a reply'} ${decides ? 'decides' : 'does not decide'} a session`, () =>
    assert.equal(decidesSession(one), decides))

for (const [later, refusal, irrelevant] of [
  [exchange('HELO', 250), exchange('EHLO', 502), true],
  [exchange('AUTH', 235), exchange('AUTH', 504), true],
  [exchange('AUTH', 235), exchange('EHLO', 502), true],
  [exchange('MAIL', 250), exchange('STARTTLS', 454), true],
  [exchange('EHLO', 250), exchange('AUTH', 535), false],
  [exchange('RCPT', 250), exchange('AUTH', 535), false],
  [exchange('MAIL', 451), exchange('STARTTLS', 454), false],
  [exchange('AUTH', 334), exchange('AUTH', 504), false],
  [exchange('MAIL', 250), exchange('AUTH', 421), false],
  [exchange('MAIL'), exchange('AUTH', 504), false],
] as const) {
  const [after, before] = [later, refusal].map(({ command, reply }) => `${command} ${reply?.code ?? 'without a reply'}`)
  test(`${after} makes ${before} ${irrelevant ? 'irrelevant' : 'no less relevant'}`, () =>
    assert.equal(overcomes(later, refusal), irrelevant))
}
