/** The fields of the log line about a failed run. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fieldsOf } from '../../../app/probe/advice.ts'
import type { ProbeFailure } from '../../../app/probe/run.ts'
import { meanings } from '../../../otel/names/meanings.ts'
import { probeErrors } from '../../../otel/names/names.ts'
import {
  DRAINING,
  EXHAUSTED,
  NOT_ALLOWED,
  SESSION_LIMIT,
  UNREACHABLE,
  UNTRUSTED,
} from '../../../proxy/session/local-replies.ts'

const SECRET = 'you@example.com'

function refused(step: ProbeFailure['step'], code: number, text: string): ProbeFailure {
  return { step, error: code, answer: { code, lines: [`${code} ${text}`], text } }
}

test('a refusal: the code, the enhanced code, the cause and what to do, but not the text', () => {
  const fields = fieldsOf(refused('mail', 521, `5.3.2 account of ${SECRET} is paused`))
  const { advice, ...others } = fields
  assert.deepEqual(others, {
    'smtp.probe.step': 'mail',
    'error.type': '521',
    'smtp.reply.code': 521,
    'smtp.reply.enhanced_code': '5.3.2',
    'smtp.reply.cause': 'account_disabled',
  })
  assert.match(`${advice}`, /^The account is suspended, .*Check AhaSend's dashboard/)
  assert.ok(!JSON.stringify(fields).includes(SECRET))
})

describe("The proxy's own 421 is not taken for AhaSend's: ", () => {
  for (const { code, enhancedCode, cause, bytes } of [
    UNREACHABLE,
    UNTRUSTED,
    SESSION_LIMIT,
    EXHAUSTED,
    NOT_ALLOWED,
    DRAINING,
  ])
    test(bytes.toString().trim(), () => {
      const text = bytes.toString().trim().slice(`${code} `.length)
      const fields = fieldsOf(refused('greeting', code, text))
      assert.equal(fields['smtp.reply.cause'], cause)
      assert.equal(fields['smtp.reply.enhanced_code'], enhancedCode)
      assert.equal(fields.advice, `${meanings[cause].meaning}. ${meanings[cause].action}`)
    })
})

describe('The advice names what to change: ', () => {
  const cases: readonly (readonly [failure: ProbeFailure, advice: RegExp])[] = [
    [refused('auth', 535, '5.7.8 no'), /^Wrong user name or password/],
    [refused('mail', 530, '5.7.0 login first'), /PROBE_LOGIN_FILE/],
    [refused('greeting', 421, '4.3.2 load shedding'), /overloaded/],
    [{ step: 'starttls', error: 'tls_untrusted', detail: 'CERT_HAS_EXPIRED' }, /PROBE_CA_FILE and PROBE_SERVER_NAME/],
    [{ step: 'connect', error: 'connect_refused', detail: 'ECONNREFUSED' }, /PROBE_TARGET/],
  ]
  for (const [failure, advice] of cases)
    test(`${failure.error} at ${failure.step}`, () => {
      const fields = fieldsOf(failure)
      assert.match(`${fields.advice}`, advice)
      assert.equal(fields['smtp.dial.detail'], failure.detail)
    })

  test('for every error', () => {
    for (const error of probeErrors)
      assert.match(`${fieldsOf({ step: 'connect', error }).advice}`, /^[A-Z].*\.$/, error)
  })
})
