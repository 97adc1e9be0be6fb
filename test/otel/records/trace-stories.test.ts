/**
 * The traces of typical messages: an app sends with nodemailer, the proxy relays to a simulated AhaSend, and a real Collector
 * receives the spans. `npm run traces` prints the same traces with their times.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { collectorMissing } from '../../support/otlp/collector.ts'
import type { Span } from '../../support/otlp/otlp-json.ts'
import { unless } from '../../support/programs/programs.ts'
import { only } from '../../support/telemetry/named-spans.ts'
import { outlineOf, type Played, play, SCENARIOS, type Scenario } from '../../support/traces/scenarios.ts'

const DIAL = [
  '  smtp.dial CLIENT 220',
  '    resolve INTERNAL',
  '    connect INTERNAL',
  '    greeting INTERNAL',
  '    starttls INTERNAL',
]

/** A session in which the app logged in and sent mail. */
const LOGGED_IN = ['  CONNECT CLIENT 220', ...DIAL, '  EHLO CLIENT 250', '  AUTH CLIENT 235']
const SESSION = ['smtp.session SERVER client_closed -> smtp.transaction', ...LOGGED_IN]

const ACCEPTED = [
  'smtp.transaction SERVER accepted 250 -> smtp.session',
  '  MAIL CLIENT 250',
  '  RCPT CLIENT 250',
  '  DATA CLIENT 354',
  '  END-OF-MESSAGE CLIENT 250',
]

/** What the app reads, and the span trees. nodemailer sends MAIL, RCPT and DATA in one segment. */
const EXPECTED: Readonly<Record<keyof typeof SCENARIOS, readonly [app: RegExp, outline: readonly string[]]>> = {
  accepted: [/^250 OK ids=\w{32}$/, [...SESSION, ...ACCEPTED]],
  oneOfThree: [
    /^250 OK ids=\w{32} \w{32}$/,
    [
      ...SESSION,
      'smtp.transaction SERVER accepted 250 -> smtp.session',
      '  MAIL CLIENT 250',
      '  RCPT CLIENT 250',
      '  RCPT CLIENT ERROR 553 recipient_rejected 553',
      '  RCPT CLIENT 250',
      '  DATA CLIENT 354',
      '  END-OF-MESSAGE CLIENT 250',
    ],
  ],
  disabled: [
    /^Mail command failed: 521 /,
    [
      'smtp.session SERVER client_closed -> smtp.transaction',
      ...LOGGED_IN,
      '  RCPT CLIENT ERROR 503 503',
      '  DATA CLIENT ERROR 503 503',
      'smtp.transaction SERVER ERROR permfail 521 account_disabled 521 -> smtp.session',
      '  MAIL CLIENT ERROR 521 account_disabled 521',
    ],
  ],
  loadShedding: [
    /^Invalid greeting\. response=421 .* load shedding/,
    [
      'smtp.session SERVER ERROR upstream_421 421 load_shedding 421',
      '  CONNECT CLIENT ERROR 421 load_shedding 421',
      '  smtp.dial CLIENT ERROR 421 greeting_refused',
      '    resolve INTERNAL',
      '    connect INTERNAL',
      '    greeting INTERNAL',
    ],
  ],
  idle: [
    /^250 OK /,
    [
      // normal for a pool: not an error of the session, but the span of the 421 has its cause
      'smtp.session SERVER upstream_421 421 idle_timeout -> smtp.transaction',
      ...LOGGED_IN,
      '  UNSOLICITED CLIENT ERROR 421 idle_timeout 421',
      ...ACCEPTED,
    ],
  ],
  inDoubt: [
    /^Connection closed unexpectedly$/,
    [
      'smtp.session SERVER ERROR upstream_closed upstream_lost -> smtp.transaction',
      ...LOGGED_IN,
      'smtp.transaction SERVER ERROR in_doubt upstream_lost -> smtp.session',
      '  MAIL CLIENT 250',
      '  RCPT CLIENT 250',
      '  DATA CLIENT 354',
      '  END-OF-MESSAGE CLIENT ERROR upstream_lost',
    ],
  ],
  joined: [
    /^250 OK /,
    [
      'POST /orders SERVER',
      '  confirm order CLIENT',
      '    smtp.transaction SERVER accepted 250 -> smtp.session',
      '      MAIL CLIENT 250',
      '      RCPT CLIENT 250',
      '      DATA CLIENT 354',
      '      END-OF-MESSAGE CLIENT 250',
      ...SESSION,
    ],
  ],
  slow: [/^250 OK /, [...SESSION, ...ACCEPTED]],
  fifty: [
    /^250 OK ids=\w{32}( \w{32}){49}$/,
    [
      ...SESSION,
      'smtp.transaction SERVER accepted 250 -> smtp.session',
      '  MAIL CLIENT 250',
      ...Array.from({ length: 50 }, () => '  RCPT CLIENT 250'),
      '  DATA CLIENT 354',
      '  END-OF-MESSAGE CLIENT 250',
    ],
  ],
}

/** More assertions on a story, besides its outline. */
const MORE: Partial<Record<keyof typeof SCENARIOS, (result: Played) => void>> = {
  accepted: ({ app, spans }) =>
    assert.deepEqual(`250 OK ids=${only(spans, 'smtp.transaction').attributes['smtp.message.ids']}`, app),
  oneOfThree: ({ spans }) => {
    const { attributes } = only(spans, 'smtp.transaction')
    assert.deepEqual([attributes['smtp.recipient.accepted'], attributes['smtp.recipient.permfail']], [2, 1])
  },
  inDoubt: ({ spans }) =>
    assert.equal(only(spans, 'smtp.transaction').attributes['smtp.transaction.stage'], 'final-reply'),
  joined: ({ spans }) => {
    const order = only(spans, 'POST /orders')
    assert.equal(only(spans, 'smtp.transaction').traceId, order.traceId)
    assert.notEqual(only(spans, 'smtp.session').traceId, order.traceId)
    assert.deepEqual(
      [order.resource['service.name'], only(spans, 'MAIL').resource['service.name']],
      ['shop', 'ahasend-smtp-proxy'],
    )
  },
  slow: ({ spans }) => {
    const { startMs, endMs } = only(spans, 'END-OF-MESSAGE')
    assert.ok(endMs - startMs > 4490, 'the span shows where the time went')
  },
}

/** Spans of one process lie within the times of their parent. */
function assertNested(spans: readonly Span[]): void {
  for (const span of spans) {
    const parent = spans.find(({ spanId }) => spanId === span.parentSpanId)
    if (!parent || parent.resource['service.name'] !== span.resource['service.name']) continue
    const inside = span.startMs >= parent.startMs && span.endMs <= parent.endMs
    assert.ok(inside, `${span.name} ${span.startMs}-${span.endMs}, ${parent.name} ${parent.startMs}-${parent.endMs}`)
    assert.equal(span.traceId, parent.traceId)
  }
}

describe('The trace of a message shows its fate', unless(collectorMissing()), () => {
  for (const [name, story] of Object.entries<Scenario>(SCENARIOS)) {
    test(story.title, async () => {
      const key = name as keyof typeof SCENARIOS
      const [app, outline] = EXPECTED[key]
      const result = await play(story)
      assert.match(result.app, app)
      assert.deepEqual(outlineOf(result.spans), outline)
      assertNested(result.spans)
      MORE[key]?.(result)
    })
  }
})
