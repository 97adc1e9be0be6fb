/** Whether `check` finds a wrong clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clockStep, noEvidence, type TimeEvidence } from '../../../../app/check/steps/clock.ts'
import type { Outcome } from '../../../../app/check/steps/step.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)

function judge(change: (evidence: TimeEvidence) => void): Outcome {
  const evidence = noEvidence()
  change(evidence)
  return clockStep(evidence, () => NOW).run(AbortSignal.timeout(1000)) as Outcome
}

test('a skew below a minute does not matter, and a larger one fails with its size and direction', () => {
  assert.equal(judge(({ skews }) => skews.set('tempo:4318', -59_000)).status, 'ok')
  const behind = judge(({ skews }) => skews.set('tempo:4318', -90_000))
  assert.equal(behind.status, 'failed')
  assert.equal(
    behind.text,
    'the clock of this machine (2026-01-02T03:04:05.000Z) is 90 s behind the clock of tempo:4318',
  )
  assert.match(judge(({ skews }) => skews.set('tempo:4318', 90_000)).text, /90 s ahead of the clock of tempo:4318/)
})

test('a certificate that is not valid at this time is suspicious, unless another one is valid', () => {
  const suspect = judge(({ certificates }) => certificates.set('a.example', 'CERT_NOT_YET_VALID'))
  assert.match(suspect.text, /the certificate of a\.example is not valid yet/)
  const expired = (evidence: TimeEvidence) => evidence.certificates.set('a.example', 'CERT_HAS_EXPIRED')
  assert.match(judge(expired).text, /certificate of a\.example has expired/)
  const other = judge((evidence) => {
    expired(evidence)
    evidence.valid.add('b.example')
  })
  assert.equal(other.status, 'ok')
})

test('without evidence it is a note', () => {
  assert.equal(judge(() => {}).status, 'note')
})
