import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from '../../../otel/export/logger.ts'
import { uncounted } from '../../../otel/export/losses.ts'
import { Log } from '../../../otel/records/log.ts'
import { createRecords, type RecordsOptions } from '../../../otel/records/recorder.ts'
import type { Telemetry } from '../../../proxy/events/observer.ts'
import { dial, oneMail, reply, SessionStory } from '../../support/telemetry/session-events.ts'

type Line = Record<string, unknown>

interface Written {
  readonly log: Telemetry
  /** The lines so far, without their times. */
  lines(message?: string): Line[]
  readonly text: () => string
}

function written(
  recordAddresses: RecordsOptions['recordAddresses'] = 'none',
  level: 'debug' | 'info' | 'warn' | 'silent' = 'info',
): Written {
  let text = ''
  const { logger } = createLogger({ level, losses: uncounted, destination: { write: (line) => (text += line) } })
  return {
    log: createRecords({ log: new Log(logger, uncounted), recordAddresses }),
    text: () => text,
    lines(message) {
      const lines = text.split('\n').filter((line) => line !== '')
      const parsed = lines.map((line): Line => JSON.parse(line)).map(({ time: _, ...line }) => line)
      return parsed.filter((line) => message === undefined || line.msg === message)
    },
  }
}

test('one message: one line for the message, one for the session', () => {
  const { log, lines } = written()
  new SessionStory()
    .dials({ peerAddress: '198.51.100.1', tlsProtocol: 'TLSv1.3', tlsCipher: 'TLS_AES_128_GCM_SHA256' })
    .greeted()
    .tls('TLSv1.2', 'ECDHE-RSA-AES128-GCM-SHA256')
    .authenticated('PLAIN')
    .mail()
    .rcpt()
    .rcpt(reply(553, { cause: 'recipient_rejected' }))
    .data()
    .accepted(2000, ['0123456789abcdef0123456789abcdef'])
    .closed('quit', 2300, 700)
    .tell(log)
  const who = {
    'smtp.session.id': 'session-1',
    'smtp.client.name': 'billing',
    'server.address': 'send.example',
    'server.port': 587,
    'network.peer.address': '198.51.100.1',
  }
  assert.deepEqual(lines(), [
    {
      level: 'info',
      msg: 'transaction',
      ...who,
      'smtp.transaction.outcome': 'accepted',
      'smtp.command': 'END-OF-MESSAGE',
      'smtp.reply.code': 250,
      'smtp.reply.cause': 'none',
      'smtp.reply.origin': 'upstream',
      'smtp.message.ids': ['0123456789abcdef0123456789abcdef'],
      'smtp.message.size': 2000,
      'smtp.message.recipient_count': 2,
      'smtp.recipient.accepted': 1,
      'smtp.recipient.tempfail': 0,
      'smtp.recipient.permfail': 1,
      duration_ms: 70,
    },
    {
      level: 'info',
      msg: 'session',
      ...who,
      'smtp.listener': 'smtp://127.0.0.1:2525',
      'smtp.session.close_reason': 'quit',
      'smtp.session.closed_by': 'client',
      'smtp.session.messages': 1,
      'network.io.transmit': 2300,
      'network.io.receive': 700,
      'tls.protocol.version': 'TLSv1.2',
      'tls.cipher': 'ECDHE-RSA-AES128-GCM-SHA256',
      'smtp.auth.mechanism': 'PLAIN',
      'smtp.auth.code': 235,
      'smtp.dial.count': 1,
      duration_ms: 210,
      dial: {
        'server.address': 'send.example',
        'server.port': 587,
        'network.peer.address': '198.51.100.1',
        'tls.protocol.version': 'TLSv1.3',
        'tls.cipher': 'TLS_AES_128_GCM_SHA256',
        'tls.resumed': false,
        duration_ms: 100,
      },
    },
  ])
})

test('a refused message is a warning with the reply that decided', () => {
  const { log, lines } = written()
  const disabled = reply(521, { enhancedCode: '5.7.1', cause: 'account_disabled' })
  new SessionStory().mail(disabled).refused('MAIL', disabled).tell(log)
  assert.deepEqual(lines(), [
    {
      level: 'warn',
      msg: 'transaction',
      'smtp.session.id': 'session-1',
      'smtp.client.name': 'billing',
      'server.address': 'send.example',
      'smtp.transaction.outcome': 'permfail',
      'error.type': '521',
      'smtp.command': 'MAIL',
      'smtp.reply.code': 521,
      'smtp.reply.enhanced_code': '5.7.1',
      'smtp.reply.cause': 'account_disabled',
      'smtp.reply.origin': 'upstream',
      'smtp.message.recipient_count': 0,
      'smtp.recipient.accepted': 0,
      'smtp.recipient.tempfail': 0,
      'smtp.recipient.permfail': 0,
      duration_ms: 10,
    },
  ])
})

test('a message in doubt is a warning with its stage', () => {
  const { log, lines } = written()
  new SessionStory().mail().rcpt().data().inDoubt('upstream_lost', 5000).tell(log)
  const [line] = lines('transaction')
  assert.equal(line?.level, 'warn')
  assert.equal(line?.['smtp.transaction.outcome'], 'in_doubt')
  assert.equal(line?.['smtp.transaction.stage'], 'final-reply')
  assert.equal(line?.['error.type'], 'upstream_lost')
  assert.equal(line?.['smtp.message.size'], 5000)
})

test('an opaque session has the reason', () => {
  const { log, lines } = written()
  new SessionStory().opaque('unknown_payload').closed('quit').tell(log)
  assert.equal(lines('session')[0]?.['smtp.opaque.reason'], 'unknown_payload')
})

test('only a session whose client sent bytes before the greeting is marked as early talker', () => {
  const { log, lines } = written()
  new SessionStory().talksEarly().greeted().closed('quit').tell(log)
  new SessionStory().greeted().closed('quit').tell(log)
  assert.deepEqual(
    lines('session').map((line) => line['smtp.session.early_talker']),
    [true, undefined],
  )
})

test('a failed dial is a warning, for a session or a preconnect', () => {
  const { log, lines } = written()
  const failure = { error: 'starttls_refused', replyCode: 454 } as const
  log.dial(dial(failure))
  new SessionStory().dials(failure).tell(log)
  const expected = {
    level: 'warn',
    msg: 'dial failed',
    'server.address': 'send.example',
    'server.port': 587,
    'error.type': 'starttls_refused',
    'smtp.reply.code': 454,
    'tls.resumed': false,
    advice: 'the upstream refused STARTTLS',
    duration_ms: 100,
  }
  assert.deepEqual(lines(), [expected, { ...expected, 'smtp.session.id': 'session-1' }])
})

test("a failed dial's own advice replaces the explanation of its reason", () => {
  const { log, lines } = written()
  log.dial(dial({ error: 'local_resources_exhausted', advice: 'raise the limit' }))
  log.dial(dial({ error: 'resolve_failed' }))
  assert.deepEqual(
    lines('dial failed').map(({ advice }) => advice),
    ['raise the limit', 'the name does not resolve: check PROXY_UPSTREAM and the DNS resolver'],
  )
})

test('failed lookups have a line when they begin and then once a minute, and successful ones have none', () => {
  const { log, lines } = written()
  const lookup = { type: 'lookup', at: 0, end: 0, serverAddress: 'send.example' } as const
  const failed = { ...lookup, error: 'resolver_failed', detail: 'EAI_AGAIN', answerAgeMs: 5400 } as const
  log.upstream!(lookup)
  for (let end = 0; end < 120_000; end += 5000) log.upstream!({ ...failed, end })
  log.upstream!({ ...lookup, error: 'name_not_found', end: 1000, serverAddress: 'other.example' })
  const [first, second, other] = lines('lookup failed')
  assert.deepEqual(first, {
    level: 'warn',
    msg: 'lookup failed',
    'server.address': 'send.example',
    'error.type': 'resolver_failed',
    'smtp.dial.detail': 'EAI_AGAIN',
    'smtp.dial.answer_age': 5,
    advice:
      'the DNS resolver of this machine or container reports an error: check it. Mail continues with the addresses of ' +
      'the last answer, for at most an hour (5 minutes if the name is gone)',
  })
  assert.deepEqual(second, first)
  assert.match(String(other?.advice), /no such name.*no earlier answer/)
  assert.equal(lines().length, 3)
})

test('a dial that used an old DNS answer says how old it was', () => {
  const { log, lines } = written()
  log.dial(dial({ error: 'connect_timeout', answerAgeMs: 61_400 }))
  assert.equal(lines('dial failed')[0]?.['smtp.dial.answer_age'], 61)
})

test('a successful dial has a line only at level debug', () => {
  const info = written()
  info.log.dial(dial())
  assert.deepEqual(info.lines(), [])
  const debug = written('none', 'debug')
  debug.log.dial(dial())
  assert.equal(debug.lines('dialled').length, 1)
})

test('at level warn, only failures have lines', () => {
  const { log, lines } = written('none', 'warn')
  oneMail().tell(log)
  new SessionStory().mail(reply(451)).refused('MAIL', reply(451)).closed('quit').tell(log)
  assert.deepEqual(
    lines().map((line) => line['smtp.transaction.outcome']),
    ['tempfail'],
  )
})

for (const [recordAddresses, address] of [
  ['none', undefined],
  ['domain', '192.0.2.7'],
  ['full', '192.0.2.7'],
] as const) {
  test(`PROXY_RECORD_ADDRESSES=${recordAddresses}: client.address is ${address ?? 'absent'} (PRV-14)`, () => {
    const { log, lines, text } = written(recordAddresses, 'debug')
    oneMail().tell(log)
    for (const message of ['session', 'transaction']) {
      const addresses = lines(message).map((line) => line['client.address'])
      assert.deepEqual(addresses, [address])
    }
    assert.equal(text().includes('192.0.2.7'), address !== undefined)
    assert.ok(!text().includes('40000'))
  })
}

test('10,000 port probes: ten lines, and one with the number of the others (PRV-12)', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { log, lines } = written()
  for (let probe = 0; probe < 10_000; probe++) new SessionStory().closed('client_closed').tell(log)
  assert.equal(lines().length, 10)
  context.mock.timers.tick(1000)
  assert.deepEqual(lines().slice(10), [
    { level: 'warn', msg: 'lines suppressed', reason: 'session client_closed', suppressed: 9990 },
  ])
  new SessionStory().closed('client_closed').tell(log)
  assert.equal(lines('session').length, 11)
})

test('a session with a bad PROXY header is a warning that says what was wrong and what to check', () => {
  const { log, lines } = written()
  new SessionStory().closedSilently('proxy_header', 'no_header').tell(log)
  new SessionStory().closedSilently('proxy_header', 'timeout').tell(log)
  new SessionStory().closedSilently('not_allowed').tell(log)
  const warnings = lines('session').map((line) => [line.level, line['smtp.session.close_detail'], line.advice])
  const expected =
    'The address is in PROXY_TRUST_PROXY_PROTOCOL, so its connections must begin with a PROXY header, version 1 or 2. ' +
    'Check that the load balancer sends one, also in its health checks, or remove its network from the setting.'
  assert.deepEqual(warnings, [
    ['warn', 'no_header', `The connection does not begin with a PROXY header. ${expected}`],
    ['warn', 'timeout', `No PROXY header arrived in time. ${expected}`],
    [
      'warn',
      undefined,
      "The client's address is not in PROXY_ALLOW. To see the client's address in this line, set PROXY_RECORD_ADDRESSES=domain.",
    ],
  ])
})

test('a refused client whose address the line has gets no advice to record it', () => {
  const { log, lines } = written('domain')
  new SessionStory().closedSilently('not_allowed').tell(log)
  const [line] = lines('session')
  assert.deepEqual(
    [line?.['client.address'], line?.advice],
    ['192.0.2.7', "The client's address is not in PROXY_ALLOW."],
  )
})

test('each reason has its own limit, and sessions with messages have none', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { log, lines } = written()
  for (let round = 0; round < 50; round++) {
    new SessionStory().dials({ error: 'connect_refused' }).closed('dial_failed').tell(log)
    log.dial(dial({ error: 'tls_untrusted' }))
    new SessionStory().closed('not_allowed').tell(log)
    new SessionStory().closed('session_limit').tell(log)
    new SessionStory().closed('proxy_header').tell(log)
    oneMail().tell(log)
  }
  const dials = lines('dial failed').map((line) => line['error.type'])
  const sessions = lines('session').map((line) => line['smtp.session.close_reason'])
  const count = (all: readonly unknown[], one: string) => all.filter((reason) => reason === one).length
  assert.equal(count(dials, 'connect_refused'), 10)
  assert.equal(count(dials, 'tls_untrusted'), 10)
  for (const reason of ['dial_failed', 'not_allowed', 'session_limit', 'proxy_header'])
    assert.equal(count(sessions, reason), 10)
  assert.equal(count(sessions, 'quit'), 50)
  assert.equal(lines('transaction').length, 50)
  context.mock.timers.tick(1000)
  assert.deepEqual(
    lines('lines suppressed').map((line) => line.suppressed),
    [40, 40, 40, 40, 40, 40],
  )
  context.mock.timers.tick(10_000)
  assert.equal(lines('lines suppressed').length, 6)
})

/** An error like those of Node: with properties, and a message that quotes the rejected value. */
function talkativeError(): Error {
  return Object.assign(new TypeError('canary-message'), {
    code: 'ERR_X',
    chunk: Buffer.from('canary-chunk'),
    secret: 'canary',
  })
}

test('a failing observer is logged with its stack, never with the value that caused it', () => {
  const { log, lines, text } = written()
  log.observerFailed(talkativeError())
  log.observerFailed('canary')
  const [first, second] = lines('telemetry failed')
  assert.equal(first?.type, 'TypeError')
  assert.equal(first?.code, 'ERR_X')
  assert.match(String(first?.stack), /talkativeError .*log\.test\.ts/)
  assert.deepEqual(second, { level: 'error', msg: 'telemetry failed' })
  assert.doesNotMatch(text(), /canary/)
})

test('a record is one line, with an ISO time and the name of its level (PRV-05)', () => {
  const { log, text } = written()
  oneMail({ clientName: 'a\nb\u001b[2J"' }).tell(log)
  const lines = text().trimEnd().split('\n')
  assert.equal(lines.length, 2)
  assert.ok(!text().includes('\u001b'))
  for (const line of lines) assert.match(line, /^\{"level":"info","time":"\d{4}-\d\d-\d\dT[\d:.]+Z",/)
})
