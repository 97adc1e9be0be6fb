/** The status page as HTML. A browser reads it in `browser.test.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FailureReport } from '../../../status/failures.ts'
import { Feed } from '../../../status/feed.ts'
import { html } from '../../../status/page/html.ts'
import { chartsOf, statusPage, titleOf } from '../../../status/page/page.ts'
import { reportOf, type Surroundings } from '../../../status/report.ts'
import { Upstreams } from '../../../status/upstreams.ts'
import { SessionStory } from '../../support/telemetry/session-events.ts'

const SURROUNDINGS: Surroundings = {
  version: '1.2.3',
  instance: { host: 'mail-1', id: 'instance-7' },
  refusedClients: { clients: [], further: 0 },
  startedAt: 0,
  draining: false,
  listeners: ['smtp://127.0.0.1:2525', 'smtps://[::1]:4650'],
  limits: { sessions: 1, maxSessions: 10 },
  warnings: ['PROXY_IDLE_TIMEOUT: 50s is short.'],
  changes: ['STARTTLS is answered here.'],
}

function report(
  surroundings: Partial<Surroundings> = {},
  failures: readonly FailureReport[] = [],
  feed = new Feed(new Upstreams(['send.example:587'])),
) {
  return reportOf(feed, failures, { ...SURROUNDINGS, ...surroundings }, 93_784_000)
}

test('the title begins with the answer', () => {
  assert.match(titleOf(report()), /^No traffic – is mail flowing\?/)
  assert.match(titleOf(report({ draining: true })), /^Stopping/)
})

test('the page has the version, the uptime, the listeners, the warnings and the changes', () => {
  const page = statusPage(report())
  for (const part of ['1.2.3', 'up for 1 d 2 h', 'smtps://[::1]:4650', '50s is short', 'STARTTLS is answered here.'])
    assert.ok(page.includes(part), part)
})

test('the page has every section, and the days until the certificate of an upstream expires', () => {
  const feed = new Feed(new Upstreams(['send.example:587']))
  const dial = { type: 'dial', at: 93_000_000, end: 93_000_050, phases: {}, resumed: false } as const
  const certificateNotAfter = 93_784 + 20 * 86_400
  feed.dial({ ...dial, serverAddress: 'send.example', serverPort: 587, certificateNotAfter })
  const story = new SessionStory().tlsFailed('app_tls_version').closed('tls_failed')
  const observe = feed.open({ ...story.opening, at: 93_780_000 })
  for (const event of story.events) observe({ ...event, at: 93_780_000 })
  const page = statusPage(report({}, [], feed))
  assert.match(page, /expires in 20 days/)
  const titles = [
    'Is mail flowing?',
    'The last 60 minutes',
    'Apps',
    'Refusals by code and cause',
    'Last refusals and failures',
    'TLS failures of apps',
    'The proxy itself',
    'Sessions',
    'Open files',
    'Busiest event loop',
  ]
  for (const title of titles) assert.match(page, new RegExp(`<(h2|dt)[^>]*>${title.replace('?', '\\?')}`), title)
})

test('an upstream whose name does not resolve is marked, with the age of the answer that is used', () => {
  const feed = new Feed(new Upstreams(['send.example:587']))
  assert.ok(!statusPage(report({}, [], feed)).includes('DNS fails'))
  const lookup = { type: 'lookup', at: 93_700_000, end: 93_700_000, serverAddress: 'send.example' } as const
  feed.upstream({ ...lookup, error: 'resolver_timeout', answerAgeMs: 36_000 })
  const page = statusPage(report({}, [], feed))
  assert.match(page, /DNS fails<\/span> the DNS resolver .* did not answer within 2s: check it/)
  assert.match(page, /\(resolver_timeout; last answer 2 min ago\)/)
})

test('nothing on the page comes from elsewhere, and no script or style is inline', () => {
  const page = statusPage(report())
  assert.doesNotMatch(page, /(src|href)="(https?:)?\/\//)
  assert.doesNotMatch(page, /<script>|<style>| style="|@import| on[a-z]+="/)
})

test('what a peer or a setting says cannot become HTML', () => {
  const attack = `<img src=x onerror="alert('1')">&`
  const failure: FailureReport = {
    at: 0,
    app: attack,
    client: attack,
    server: 's',
    cause: 'none',
    error: attack,
    sessionId: attack,
  }
  const page = statusPage(report({ listeners: [attack], warnings: [attack] }, [failure]))
  assert.ok(page.includes('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;'))
  assert.ok(!page.includes('<img'))
})

test('a template escapes text and keeps HTML', () => {
  assert.equal(html`<b>${'<'}</b>${html`<i>`}${[html`1`, '&']}${undefined}`.text, '<b>&lt;</b><i>1&amp;')
})

test('charts have one value per minute in each series', () => {
  for (const { times, series } of chartsOf(report()))
    for (const { values } of series) assert.equal(values.length, times.length)
})

test('the page says which proxy it covers, and that others have their own page', () => {
  assert.match(
    statusPage(report()),
    /only the proxy on host <b>mail-1<\/b> \(instance instance-7\)\. If you run several proxies, each/,
  )
  assert.match(statusPage(report({ instance: { host: 'mail-2' } })), /only the proxy on host <b>mail-2<\/b>\. If/)
})

const REFUSED = {
  client: '198.51.100.0/24',
  app: 'other',
  refusal: 'not_allowed',
  why: 'Its address is not in PROXY_ALLOW',
  setting: 'PROXY_ALLOW',
  count: 1234,
  lastAt: 0,
} as const

test('refused clients are shown with their network, count, last time and setting; without any, nothing is shown', () => {
  const page = statusPage(report({ refusedClients: { clients: [REFUSED], further: 17 } }))
  for (const part of [
    '198.51.100.0/24',
    '1,234',
    '00:00:00',
    '<code>PROXY_ALLOW</code>',
    '17 refusals of other clients',
  ])
    assert.ok(page.includes(part), part)
  assert.match(page, /set PROXY_RECORD_ADDRESSES=domain/)
  assert.doesNotMatch(statusPage(report()), /Clients that the proxy refused/)
  const shown = { ...REFUSED, client: '198.51.100.7' }
  const withAddress = statusPage(report({ refusedClients: { clients: [shown], further: 0 } }))
  assert.doesNotMatch(withAddress, /PROXY_RECORD_ADDRESSES/)
})

test('a failure shows the network of its client', () => {
  const client = '198.51.100.0/24'
  const failure: FailureReport = {
    at: 0,
    app: 'shop',
    client,
    server: 's',
    cause: 'none',
    error: '500',
    sessionId: 'x',
  }
  assert.ok(statusPage(report({}, [failure])).includes(client))
})

test('the accepted share is one of messages; without messages, the page says so', () => {
  assert.match(statusPage(report()), /<dt>Accepted<\/dt><dd><b>0<\/b> <span class="muted">no messages<\/span>/)
})
