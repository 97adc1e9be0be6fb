/** Which replies and messages count as what. live.test.ts tests the values of these queries. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptedShare, flowing, REFUSAL, refused, turnedAway } from '../../../dashboards/promql/mail.ts'
import { RANGE, RECENT } from '../../../dashboards/promql/queries.ts'

const CODES: readonly (readonly [code: number, isRefusal: boolean])[] = [
  [220, false],
  [250, false],
  [354, false],
  [421, true],
  [452, true],
  [500, true],
  // follows another refusal
  [503, false],
  [504, true],
  [521, true],
  [535, true],
  [553, true],
]

for (const [code, isRefusal] of CODES) {
  test(`${code} is ${isRefusal ? 'a' : 'no'} refusal`, () => {
    const pattern = new RegExp(`^(?:${REFUSAL['smtp.reply.code'].matches})$`)
    assert.equal(pattern.test(`${code}`), isRefusal)
  })
}

test('idle disconnects and replies of a stopping proxy are no refusals, partly queued messages are', () => {
  assert.match(refused(RANGE), /smtp_reply_cause!~"idle_timeout\|draining"/)
  assert.match(refused(RANGE), /smtp_reply_cause="partially_queued"/)
})

test('messages that a stop of the proxy ended count nowhere', () => {
  for (const query of [flowing(RECENT), acceptedShare(RECENT)])
    for (const [selector] of query.matchAll(/smtp_proxy_transactions_total\{[^}]*\}/g))
      assert.match(selector, /drained|outcome="accepted"|error_type="521"/)
})

test('sessions above the session limit count by their close reason, not by their reply', () => {
  assert.match(turnedAway(RECENT), /smtp_session_close_reason="session_limit"/)
  assert.doesNotMatch(turnedAway(RECENT), /smtp_reply_cause[^,}]*session_limit/)
})
