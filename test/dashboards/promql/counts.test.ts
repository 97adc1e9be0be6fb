/** The counts of the alerts: which of them include the first event of a series, and how their recordings are named. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Counts, continues, countsOf } from '../../../dashboards/promql/counts.ts'
import { HOUR } from '../../../dashboards/promql/durations.ts'
import { RuleMaker } from '../../../dashboards/promql/rule-maker.ts'

const make = new RuleMaker()
const counts = countsOf(make)
const entries = Object.entries(counts)

/** Counts for which one event is enough, so the first event of a series must not be missed. */
const FROM_FIRST: readonly (keyof Counts)[] = [
  'accountDisabled',
  'connectionLimit',
  'domainNotConfigured',
  'dropped',
  'inDoubt',
  'loginsRefused',
  'notAllowed',
  'observerFailures',
  'outOfResources',
  'partiallyQueued',
  'tooBig',
  'tooManyRecipients',
  'turnedAway',
  'unreachable',
  'withoutHeader',
  'wrongFormat',
]

test('counts for which one event is enough include the first event of a series', () => {
  const fromFirst = entries.filter(([, { of }]) => of(HOUR).includes('last_over_time'))
  assert.deepEqual(fromFirst.map(([name]) => name).sort(), FROM_FIRST)
})

test('each count has its own name of a recording', () => {
  const names = entries.map(([, count]) => make.count(count, HOUR))
  assert.equal(new Set(names).size, names.length)
  for (const name of names) assert.match(name, /^job\w*:smtp_proxy_[a-z\d_]+:increase1h$/)
})

test('replies that only AhaSend can send are counted only if AhaSend sent them', () => {
  for (const [name, { of }] of entries)
    for (const [selector] of of(HOUR).matchAll(/smtp_proxy_replies_total\{[^}]*\}/g))
      assert.match(selector, name === 'unreachable' ? /origin="proxy"/ : /origin="upstream"/, name)
})

test('events continue if both halves of the window have some', () => {
  const [hour, half] = ['1h', '30m'].map((span) => `job_server:smtp_proxy_session_dropped:increase${span}`)
  assert.equal(continues(make, counts.dropped), `${half} > 0\nand\n${hour} - ${half} > 0.5`)
})
