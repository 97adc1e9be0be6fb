import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeReasons, proxyHeaderFaults } from '../../../otel/names/names.ts'
import { adviceOn } from '../../../otel/records/advice.ts'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'

type Close = Extract<SessionEvent, { type: 'session-close' }>

function closedBy(reason: Close['reason'], detail?: string): Close {
  const bytes = { transmit: 0, receive: 0, messages: 0 }
  return { type: 'session-close', at: 0, by: 'proxy', reason, ...(detail !== undefined && { detail }), ...bytes }
}

test('each fault of a PROXY header has a sentence of its own, followed by what to check', () => {
  const advice = proxyHeaderFaults.map((fault) => adviceOn(closedBy('proxy_header', fault)) ?? '')
  for (const text of advice) assert.match(text, /^[A-Z].*\. The address is in PROXY_TRUST_PROXY_PROTOCOL, .*\.$/)
  assert.equal(new Set(advice).size, proxyHeaderFaults.length)
})

for (const detail of [undefined, '', 'constructor', 'text of a peer']) {
  test(`without a known fault (${detail}), the advice is only what to check`, () => {
    assert.match(adviceOn(closedBy('proxy_header', detail)) ?? '', /^The address is in PROXY_TRUST_PROXY_PROTOCOL/)
  })
}

test('other close reasons have no advice', () => {
  for (const reason of closeReasons)
    if (!['proxy_header', 'not_allowed', 'session_limit'].includes(reason))
      assert.equal(adviceOn(closedBy(reason, 'timeout')), undefined, reason)
})

test('a refused client: the setting that refused it, and the setting that logs its address unless the line has it', () => {
  for (const [reason, setting] of [
    ['not_allowed', /PROXY_ALLOW/],
    ['session_limit', /PROXY_MAX_SESSIONS/],
  ] as const) {
    const [hidden, logged] = [adviceOn(closedBy(reason)) ?? '', adviceOn(closedBy(reason), true) ?? '']
    for (const text of [hidden, logged]) assert.match(text, setting)
    assert.match(hidden, / set PROXY_RECORD_ADDRESSES=domain\.$/)
    assert.doesNotMatch(logged, /PROXY_RECORD_ADDRESSES/)
  }
})
