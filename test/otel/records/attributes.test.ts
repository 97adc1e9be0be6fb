import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { attributes, details } from '../../../otel/names/names.ts'
import { DIAL, DIAL_FAILURE, MESSAGE, SESSION, spanDefinitions } from '../../../otel/names/records.ts'
import {
  dialAttributes,
  exchangeAttributes,
  messageAttributes,
  sessionAttributes,
} from '../../../otel/records/attributes.ts'
import type { MessageRecord, SessionFacts, SessionRecord } from '../../../otel/records/records.ts'
import { dial, reply, SessionStory } from '../../support/telemetry/session-events.ts'

const { opening } = new SessionStory()
const bare: SessionFacts = { open: opening, server: 'send.example', preconnected: false, dials: [], dialCount: 0 }
const recipients = { accepted: 1, tempfail: 2, permfail: 3 }
const refusal = reply(553, { enhancedCode: '5.1.1', cause: 'recipient_rejected', ids: ['id'] })
const upstream = dial({
  peerAddress: '198.51.100.1',
  tlsProtocol: 'TLSv1.3',
  tlsCipher: 'AES',
  error: 'tls_failed',
  detail: 'EPROTO',
  replyCode: 220,
  answerAgeMs: 61_000,
})

/** A session with every optional fact. */
const full: SessionFacts = {
  ...bare,
  clientAddress: '192.0.2.7',
  upstream,
  preconnected: true,
  dialCount: 3,
  tls: { protocol: 'TLSv1.2', cipher: 'AES' },
  tlsFailure: { type: 'tls-failed', at: 0, error: 'app_tls_alpn', detail: 'ERR_SSL' },
  auth: { mechanism: 'PLAIN', reply: reply(235) },
  capabilities: { removed: ['CHUNKING'], added: ['STARTTLS'] },
  opaque: 'reply_mismatch',
  earlyTalker: true,
}

function message(
  session: SessionFacts,
  facts: Partial<MessageRecord>,
  end: Partial<MessageRecord['end']>,
): MessageRecord {
  const size = { size: 0, hasBody: false, recipients }
  return {
    session,
    at: 0,
    end: { at: 9, outcome: 'aborted', ...size, ...end },
    recipients: [],
    exchanges: [],
    omitted: 0,
    ...facts,
  }
}

function closed(session: SessionFacts, facts: Partial<SessionRecord> = {}): SessionRecord {
  const bytes = { transmit: 1, receive: 2, messages: 3 }
  const close = {
    type: 'session-close',
    at: 9,
    by: 'proxy',
    reason: 'proxy_header',
    detail: 'timeout',
    ...bytes,
  } as const
  return { session, close, exchanges: [], omitted: 0, ...facts }
}

const fullMessage = message(
  full,
  { stage: 'body', sender: 'a@example.com', recipients: ['b@example.net'] },
  {
    outcome: 'permfail',
    error: '553',
    command: 'RCPT',
    reply: refusal,
    size: 10,
    hasBody: true,
    headers: { sandbox: true, messageId: '<id@example.com>', tags: ['tag'] },
  },
)
const refused = { command: 'AUTH', at: 0, end: 1, reply: refusal } as const

/** The attributes of each kind of span or line, and those that the table lists for it. */
const KINDS = [
  ['a message', messageAttributes(fullMessage), MESSAGE],
  ['a session', sessionAttributes(closed(full, { refusal: refused })), SESSION],
  ['a dial', dialAttributes(upstream), [...DIAL, ...DIAL_FAILURE]],
  [
    'a command',
    exchangeAttributes({ ...refused, recipient: 'b@example.net' }),
    // every span that failed gets this one
    spanDefinitions.command.attributes.filter((key) => key !== 'error.type'),
  ],
] as const

for (const [what, found, listed] of KINDS) {
  test(`with every fact, ${what} has exactly the attributes that otel/names/records.ts lists`, () => {
    assert.deepEqual(Object.keys(found).toSorted(), [...listed].toSorted())
  })
}

test('every key is in the table', () => {
  const known = [...Object.keys(attributes), ...Object.keys(details)]
  const listed = Object.values(spanDefinitions).flatMap(({ attributes }) => attributes as readonly string[])
  for (const key of [...KINDS.flatMap(([, found]) => Object.keys(found)), ...listed])
    assert.ok(known.includes(key), key)
})

describe('Facts that are missing have no attribute', () => {
  test('of a message', () => {
    assert.deepEqual(messageAttributes(message(bare, {}, {})), {
      'smtp.session.id': 'session-1',
      'smtp.client.name': 'billing',
      'server.address': 'send.example',
      'smtp.transaction.outcome': 'aborted',
      'smtp.message.recipient_count': 6,
      'smtp.recipient.accepted': 1,
      'smtp.recipient.tempfail': 2,
      'smtp.recipient.permfail': 3,
    })
  })

  test('of a session', () => {
    assert.deepEqual(Object.keys(sessionAttributes(closed(bare))), [
      'smtp.session.id',
      'smtp.client.name',
      'server.address',
      'smtp.listener',
      'smtp.session.close_reason',
      'smtp.session.close_detail',
      'smtp.session.closed_by',
      'smtp.session.messages',
      'network.io.transmit',
      'network.io.receive',
    ])
  })

  test('of a dial and of a command', () => {
    assert.deepEqual(dialAttributes(dial()), {
      'server.address': 'send.example',
      'server.port': 587,
      'tls.resumed': false,
    })
    assert.deepEqual(exchangeAttributes({ command: 'DATA', at: 0, end: 1 }), { 'smtp.command': 'DATA' })
  })
})

test('tags are not an attribute of a message: only its span has them', () => {
  assert.ok(!('ahasend.tags' in messageAttributes(fullMessage)))
})
