/**
 * The books balance: all sources count the same traffic exactly alike. The sources are the scrape page, the metrics
 * over OTLP, the spans, the log lines, the log records over OTLP, the ledger of the simulated AhaSend, and what the
 * apps planned and read. AGREEMENTS lists the labels that each source knows.
 */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { metrics } from '../../otel/names/names.ts'
import { parseMetrics, type Sample, sum, sumBy } from '../demo/metrics.ts'
import type { Book, Page } from '../support/books/book.ts'
import { titleOf } from '../support/books/book.ts'
import { type Run, run, type Source } from '../support/books/books-run.ts'
import { collectorMissing } from '../support/otlp/collector.ts'
import { unless } from '../support/programs/programs.ts'
import { App, STRANGER } from '../support/traffic/mixed-mail.ts'
import { sendMixedMail } from '../support/traffic/mixed-traffic.ts'
import { until } from '../support/waiting/until.ts'

interface Agreement {
  readonly sources: readonly Source[]
  readonly by: readonly string[]
  /** The part that these sources know. Default: everything. */
  readonly only?: (labels: Readonly<Record<string, string>>) => boolean
}

const METRICS = ['page', 'points'] as const
const LOGS = ['lines', 'records'] as const

/** The sources that must agree on a count, and by which labels. */
const AGREEMENTS: readonly (readonly [Page, Agreement])[] = [
  // log lines do not report each reply
  ['replies', { sources: [...METRICS, 'spans'], by: ['command', 'code', 'cause', 'origin', 'client'] }],
  // apps cannot know causes
  ['replies', { sources: [...METRICS, 'spans', 'apps'], by: ['command', 'code', 'origin', 'client'] }],
  // AhaSend knows neither the apps' names nor the local replies
  [
    'replies',
    { sources: [...METRICS, 'spans', 'ledger'], by: ['command', 'code'], only: ({ origin }) => origin === 'upstream' },
  ],
  // metrics count replies only; an unanswered command also has a span and reached AhaSend
  ['commands', { sources: ['spans', 'ledger'], by: ['command'] }],
  // a reply that did not reach the client has no span or line
  ['repliesLost', { sources: [...METRICS, 'apps'], by: ['loss'] }],
  ['repliesLost', { sources: [...METRICS, 'ledger'], by: ['loss'], only: ({ loss }) => loss === 'incomplete' }],
  ['transactions', { sources: [...METRICS, 'spans', ...LOGS, 'apps'], by: ['outcome', 'error', 'client'] }],
  // AhaSend counts messages with a final dot
  [
    'transactions',
    {
      sources: [...METRICS, 'spans', ...LOGS, 'ledger'],
      by: ['outcome'],
      only: ({ outcome }) => outcome === 'accepted' || outcome === 'in_doubt',
    },
  ],
  ['decisions', { sources: ['spans', ...LOGS], by: ['outcome', 'command', 'code', 'cause', 'client'] }],
  ['recipients', { sources: [...METRICS, 'spans', ...LOGS, 'apps'], by: ['verdict', 'client'] }],
  ['recipients', { sources: [...METRICS, 'spans', ...LOGS, 'ledger'], by: ['verdict'] }],
  ['bodies', { sources: [...METRICS, 'spans', ...LOGS, 'apps'], by: ['outcome', 'client'] }],
  ['bodies', { sources: [...METRICS, 'spans', ...LOGS, 'ledger'], by: ['outcome'] }],
  ['bytesOfBodies', { sources: [...METRICS, 'spans', ...LOGS, 'apps'], by: ['outcome', 'client'] }],
  // AhaSend does not measure an incomplete body
  [
    'bytesOfBodies',
    {
      sources: [...METRICS, 'spans', ...LOGS, 'ledger'],
      by: ['outcome'],
      only: ({ outcome }) => outcome !== 'aborted',
    },
  ],
  ['sessions', { sources: [...METRICS, 'spans', ...LOGS, 'apps'], by: ['reason', 'client'] }],
  ['mails', { sources: [...METRICS, 'spans', ...LOGS, 'ledger', 'apps'], by: [] }],
  ['dials', { sources: [...METRICS, 'spans'], by: ['error', 'resumed'] }],
  // a session's line has the number of its dials; failed dials have their own lines
  ['dials', { sources: [...METRICS, 'spans', ...LOGS], by: ['ready', 'error'] }],
  // AhaSend sees whether the handshake succeeded
  ['dials', { sources: [...METRICS, 'spans', ...LOGS, 'ledger'], by: ['ready'] }],
  // apps cannot know: the proxy changes the EHLO reply, and does not relay commands that it answers itself
  ['bytes', { sources: [...METRICS, 'spans', ...LOGS, 'ledger'], by: ['direction'] }],
]

const needsCollector = unless(collectorMissing())

for (const [title, env, seed] of [
  ['one event loop', {}, 1],
  ['two event loops', { PROXY_WORKERS: '2' }, 2],
] as const) {
  describe(`The books balance with ${title} (MET-01, MET-04, MET-09)`, needsCollector, () => {
    let done: Run
    let samples: readonly Sample[]
    before(async () => {
      done = await run(env, ({ proxy, simulator, apps }) => sendMixedMail(proxy.port, simulator, apps, seed))
      samples = parseMetrics(done.page)
    })

    for (const [page, { sources, by, only }] of AGREEMENTS) {
      const [reference, ...others] = sources
      test(`${titleOf(page)}, by ${by.join(', ') || 'their number'}: ${sources.join(' = ')}`, () => {
        const expected = done.books[reference as Source][page].by(by, only)
        assert.notDeepEqual(expected, {}, 'the traffic contains some')
        for (const other of others) assert.deepEqual(done.books[other][page].by(by, only), expected, other)
      })
    }

    test('histograms and counters agree', () => {
      const { commandDuration, replies, transactionDuration, transactions, messageRecipients, recipients } = metrics
      const timed = sumBy(samples, `${commandDuration.prometheus}_count`, 'smtp_command')
      const counted = new Map(sumBy(samples, replies.prometheus, 'smtp_command'))
      counted.delete('UNSOLICITED') // a reply without a command has no duration
      assert.deepEqual(timed, counted)
      const mails = sum(samples, transactions.prometheus)
      assert.equal(sum(samples, `${transactionDuration.prometheus}_count`), mails)
      assert.equal(sum(samples, `${messageRecipients.prometheus}_count`), mails)
      assert.equal(sum(samples, `${messageRecipients.prometheus}_sum`), sum(samples, recipients.prometheus))
    })

    test('all spans and log records have arrived, and are counted as delivered', () => {
      const delivered = sumBy(done.last, metrics.telemetryExported.prometheus, 'telemetry_signal')
      assert.equal(delivered.get('traces'), done.spans.length)
      assert.equal(delivered.get('logs'), done.records.length)
      assert.deepEqual(sumBy(done.last, metrics.telemetryLost.prometheus, 'telemetry_loss'), new Map())
    })
  })
}

/** The total of a page of a book. */
function all(book: Book, page: Page): number {
  return Object.values(book[page].by([])).reduce((total, count) => total + count, 0)
}

describe('What is not reported individually is counted:', needsCollector, () => {
  test('commands without their own span, in smtp.exchanges.omitted', async () => {
    const { books, spans } = await run({}, async ({ proxy, apps }) => {
      const app = await App.loggedIn(proxy.port, '127.0.0.1', apps)
      const to = Array.from({ length: 140 }, (_, number) => `reader-${number}`)
      await app.mail({ to, outcome: 'accepted' }, false)
      for (let number = 0; number < 40; number += 1) await app.ask('NOOP', 'NOOP')
      await app.ask('VRFY', 'VRFY somebody')
      await app.quit()
    })
    const omitted = spans.map(({ attributes }) => Number(attributes['smtp.exchanges.omitted'] ?? 0))
    assert.deepEqual(
      omitted.filter((count) => count > 0),
      // 143 commands of the message and 128 spans; 45 of the session and 32 spans: a refused VRFY does not keep its
      // span
      [15, 13],
    )
    const reported = all(books.spans, 'replies') + omitted.reduce((total, count) => total + count, 0)
    assert.equal(reported, all(books.page, 'replies'))
    assert.equal(all(books.apps, 'replies'), all(books.page, 'replies'))
  })

  test('refused sessions above the rate limit, as telemetry.loss rate_limited', async () => {
    const { books, last, lines } = await run({}, async ({ proxy, apps }) => {
      const strangers = Array.from({ length: 30 }, async () => {
        const app = await App.connect(proxy.port, STRANGER, apps)
        await app.read('CONNECT')
        await app.closed('not_allowed')
      })
      await Promise.all(strangers)
    })
    const lost = sumBy(last, metrics.telemetryLost.prometheus, 'telemetry_signal', { telemetry_loss: 'rate_limited' })
    const suppressed = lines.map((line) => (line.msg === 'lines suppressed' ? Number(line.suppressed) : 0))
    assert.equal(all(books.points, 'sessions'), 30)
    assert.equal(all(books.spans, 'sessions') + (lost.get('traces') ?? 0), 30)
    assert.equal(all(books.lines, 'sessions') + (lost.get('logs') ?? 0), 30)
    assert.equal(
      suppressed.reduce((total, count) => total + count, 0),
      lost.get('logs'),
    )
    assert.ok(all(books.spans, 'sessions') < 30 && all(books.lines, 'sessions') < 30)
  })

  test('the replies and bytes of an opaque session, but not its messages (MET-13)', async () => {
    const { books, page } = await run({}, async ({ proxy, apps }) => {
      const app = await App.loggedIn(proxy.port, '127.0.0.1', apps)
      // BDAT is not offered, so the bytes after it are ambiguous until the 502
      await app.mail({ between: ['BDAT', 'BDAT 0 LAST'], outcome: 'accepted' }, true)
      await app.mail({ outcome: 'accepted' }, false)
      await app.quit()
    })
    assert.equal(sum(parseMetrics(page), metrics.sessionOpaque.prometheus), 1)
    for (const source of ['points', 'spans', 'ledger', 'apps'] as const) {
      assert.equal(all(books[source], 'replies'), all(books.page, 'replies'), source)
    }
    assert.deepEqual(books.page.bytes.by(['direction']), books.ledger.bytes.by(['direction']))
    assert.deepEqual(books.page.transactions.by(['outcome']), { aborted: 1 })
    assert.deepEqual(books.spans.transactions.by(['outcome']), { aborted: 1 })
    assert.deepEqual(books.ledger.transactions.by(['outcome']), { accepted: 2 })
  })

  test('preconnected connections: at level debug each dial has a line, and belongs to one session at most', async () => {
    const preconnecting = { PROXY_WARM_CONNECTIONS: '8', PROXY_LOG_LEVEL: 'debug' }
    const { books, spans, lines } = await run(preconnecting, async ({ proxy, simulator, apps }) => {
      for (let number = 0; number < 20; number += 1) {
        const app = await App.loggedIn(proxy.port, '127.0.0.1', apps)
        await app.quit()
      }
      await until('the proxy reports every dial', async () => {
        const dials = sum(parseMetrics(await proxy.metrics()), metrics.dials.prometheus)
        return dials === simulator.ledger.summary().sessions.opened
      })
    })
    const dials = all(books.page, 'dials')
    for (const source of ['points', 'spans', 'ledger'] as const)
      assert.equal(all(books[source], 'dials'), dials, source)
    assert.equal(lines.filter(({ msg }) => msg === 'dialled').length, dials)
    const sessions = spans.filter(({ name }) => name === 'smtp.session')
    const given = sessions.filter(({ attributes }) => attributes['smtp.dial.ahead']).length
    const own = sessions.reduce((total, { attributes }) => total + Number(attributes['smtp.dial.count'] ?? 0), 0)
    assert.equal(given + own, 20)
    assert.ok(given > 0 && own > 0, `${given} of 20 were preconnected`)
  })
})
