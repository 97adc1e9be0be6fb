/** What telemetry reports about TLS handshakes of apps. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { explanations } from '../../../otel/metrics/app-tls.ts'
import { appTlsErrors } from '../../../otel/names/names.ts'
import { RecordedOutput } from '../../support/telemetry/recorded-output.ts'
import { scraped, seriesOf } from '../../support/telemetry/scrape.ts'
import { reply, SessionStory } from '../../support/telemetry/session-events.ts'
import { traced } from '../../support/telemetry/span-tree.ts'

const NAME = 'smtp_proxy_client_tls_handshakes_total'
const PAIR = 'smtp_listener="smtp://127.0.0.1:2525",smtp_client_name="billing"'
const DETAIL = 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'

function entered(): SessionStory {
  return new SessionStory().greeted().tls('TLSv1.3', 'TLS_AES_128_GCM_SHA256')
}

describe('The counter of handshakes', () => {
  test('counts one success when the app sends its first command inside TLS', async () => {
    const { metrics, series } = scraped()
    entered().exchange('EHLO', reply(250)).exchange('NOOP', reply(250)).closed('quit').tell(metrics)
    assert.deepEqual(await series(NAME), { [`{${PAIR}}`]: 1 })
  })

  test('counts one failure by its reason, and no success if an alert follows the handshake', async () => {
    const { metrics, series } = scraped()
    entered().tlsFailed('app_tls_certificate_rejected', DETAIL).closed('tls_failed').tell(metrics)
    assert.deepEqual(await series(NAME), { [`{error_type="app_tls_certificate_rejected",${PAIR}}`]: 1 })
  })

  test('counts nothing for sessions without TLS or without a command inside TLS', async () => {
    const { metrics, series } = scraped()
    new SessionStory().greeted().exchange('EHLO', reply(250)).closed('quit').tell(metrics)
    entered()
      .exchange('UNSOLICITED', reply(421, { cause: 'draining', origin: 'proxy' }))
      .closed('drained')
      .tell(metrics)
    assert.deepEqual(await series(NAME), {})
  })

  test('starts at 0 for each listener and client name, below its limit', async () => {
    const listeners = Array.from({ length: 8 }, (_, number) => `smtp://127.0.0.1:${2525 + number}`)
    const clients = Array.from({ length: 100 }, (_, number) => `app-${number}`)
    const { page } = scraped({ listeners, clients })
    const text = await page()
    assert.equal(seriesOf(text, NAME).length, 8 * 101 * (appTlsErrors.length + 1))
    assert.doesNotMatch(text, /otel_metric_overflow/)
  })
})

describe('The log line of the session', () => {
  function lineOf(story: SessionStory): Record<string, unknown> {
    const output = new RecordedOutput()
    story.tell(output.telemetry)
    return JSON.parse(output.lines.trim().split('\n').at(-1)!)
  }

  for (const error of appTlsErrors) {
    test(`explains ${error} and says what to do`, () => {
      const line = lineOf(new SessionStory().tlsFailed(error, DETAIL).closed('tls_failed'))
      const level = error === 'app_tls_closed' ? 'info' : 'warn'
      assert.deepEqual(
        [line.level, line.msg, line['smtp.session.close_reason'], line['error.type'], line['smtp.tls.detail']],
        [level, 'session', 'tls_failed', error, DETAIL],
      )
      assert.equal(line.advice, explanations[error])
      assert.match(explanations[error], /^The (app|connection|TLS handshake) .+\. ?/)
    })
  }

  test('has a rate limit for each reason', (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const output = new RecordedOutput()
    for (let round = 0; round < 100; round += 1) {
      new SessionStory().tlsFailed('app_tls_version').closed('tls_failed').tell(output.telemetry)
      new SessionStory().tlsFailed('app_tls_plaintext').closed('tls_failed').tell(output.telemetry)
    }
    assert.equal(output.lines.trim().split('\n').length, 20)
  })
})

describe('The span of the session', () => {
  test('has the TLS error as error.type, not upstream_lost', () => {
    const all = traced()
    new SessionStory()
      .greeted()
      .tlsFailed('app_tls_version', 'ERR_SSL_UNSUPPORTED_PROTOCOL')
      .closed('tls_failed')
      .tell(all.telemetry)
    const [span] = all.spans().filter(({ name }) => name === 'smtp.session')
    assert.equal(span?.attributes['error.type'], 'app_tls_version')
    assert.equal(span?.attributes['smtp.tls.detail'], 'ERR_SSL_UNSUPPORTED_PROTOCOL')
    assert.equal(span?.status.message, 'ERR_SSL_UNSUPPORTED_PROTOCOL')
  })

  test('is not a failure if a port scanner closed the connection', () => {
    const all = traced()
    new SessionStory().tlsFailed('app_tls_closed').closed('tls_failed').tell(all.telemetry)
    for (const span of all.spans()) assert.equal(span.status.code, 0)
  })
})
