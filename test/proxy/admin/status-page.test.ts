import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statusPage } from '../../../proxy/admin/status-page.ts'
import { status } from '../../support/in-process/admin-rig.ts'

test('the page contains every fact of the status', () => {
  const html = statusPage(status)
  for (const text of ['1.2.3', '1 d 2 h', 'running', '<dd>42</dd>', 'send.example:587', 'STARTTLS is answered here.'])
    assert.ok(html.includes(text), text)
  for (const listener of status.listeners) assert.ok(html.includes(`<dd>${listener}</dd>`))
})

test('the page shows that the proxy drains', () => {
  const html = statusPage({ ...status, draining: true })
  assert.match(html, /<dt>State<\/dt><dd>draining, no new sessions<\/dd>/)
})

test('the page loads nothing and runs nothing', () => {
  assert.doesNotMatch(statusPage(status), /src=|<link|<script|@import|url\(|https?:/)
})

test('the page escapes its facts', () => {
  const html = statusPage({ ...status, upstreams: [`<img src=x onerror="alert('1')">&`] })
  assert.ok(html.includes('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;'))
  assert.ok(!html.includes('<img'))
})

for (const [seconds, shown] of [
  [0, '0 s'],
  [59.9, '59 s'],
  [60, '1 min 0 s'],
  [3661, '1 h 1 min'],
  [864_000, '10 d 0 h'],
] as const) {
  test(`an uptime of ${seconds} s is shown as ${shown}`, () => {
    assert.ok(statusPage({ ...status, uptimeSeconds: seconds }).includes(`<dd>${shown}</dd>`))
  })
}
