import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dial } from '../../proxy/events/dial.ts'
import { Upstreams } from '../../status/upstreams.ts'

function dial(at: number, more: Partial<Dial> = {}): Dial {
  const server = { serverAddress: 'send.ahasend.com', serverPort: 25 }
  return { type: 'dial', at, end: at + 40, ...server, phases: {}, resumed: false, ...more }
}

function after(...dials: readonly Dial[]) {
  const upstreams = new Upstreams(['send.ahasend.com:25', 'send.ahasend.com:587'])
  for (const each of dials) upstreams.dialled(each)
  return upstreams.reports()
}

test('every configured upstream is listed, also before it was dialled', () => {
  assert.deepEqual(after(), [{ server: 'send.ahasend.com:25' }, { server: 'send.ahasend.com:587' }])
})

test('a success shows the duration and the expiry of the certificate', () => {
  const [first] = after(dial(1000, { certificateNotAfter: 1_800_000_000 }))
  assert.deepEqual(first?.last, { at: 1000, ok: true, milliseconds: 40 })
  assert.equal(first?.reachedAt, 1000)
  assert.equal(first?.certificateNotAfter, 1_800_000_000_000)
})

test('a failure shows why, and keeps when the upstream was reached last', () => {
  const [first] = after(dial(1000), dial(2000, { error: 'tls_untrusted', detail: 'CERT_HAS_EXPIRED' }))
  assert.equal(first?.reachedAt, 1000)
  assert.match(first?.last?.explanation ?? '', /^the certificate is not trusted .*PROXY_UPSTREAM_CA_FILE$/)
  assert.equal(first?.last?.detail, 'CERT_HAS_EXPIRED')
})

test('a slow dial that ends after a later one does not replace it', () => {
  const [first] = after(dial(2000), dial(1000, { error: 'connect_timeout' }))
  assert.equal(first?.last?.ok, true)
})

test('a server that is not configured is ignored', () => {
  assert.equal(after(dial(1000, { serverAddress: 'elsewhere.example' })).length, 2)
})

test('a greeting that refuses shows its code', () => {
  const [first] = after(dial(1000, { error: 'greeting_refused', replyCode: 421 }))
  assert.equal(first?.last?.replyCode, 421)
})

test('a failed lookup is shown at every upstream with the name, with the time of the last answer, until a lookup succeeds', () => {
  const upstreams = new Upstreams(['send.ahasend.com:25', 'send.ahasend.com:587', 'other.example:587'])
  const lookup = { type: 'lookup', at: 99_000, end: 100_000, serverAddress: 'send.ahasend.com' } as const
  upstreams.lookedUp({ ...lookup, error: 'resolver_failed', answerAgeMs: 60_000 })
  const explanation = 'the DNS resolver of this machine or container reports an error: check it'
  const failure = { error: 'resolver_failed', explanation, answeredAt: 40_000 }
  assert.deepEqual(
    upstreams.reports().map((report) => report.lookup),
    [failure, failure, undefined],
  )
  upstreams.lookedUp({ ...lookup, error: 'name_not_found' })
  assert.equal(upstreams.reports()[0]?.lookup?.answeredAt, undefined)
  upstreams.lookedUp(lookup)
  assert.deepEqual(
    upstreams.reports().map(({ lookup: shown }) => shown),
    [undefined, undefined, undefined],
  )
})
