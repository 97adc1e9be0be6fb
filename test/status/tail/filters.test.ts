/** The filters of the live tail: what passes, and what is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readFilters } from '../../../status/tail/filters.ts'
import type { TailLine } from '../../../status/tail/line.ts'

const LINE: TailLine = {
  time: '2026-01-02T03:04:05.678Z',
  app: 'billing',
  subject: 'message',
  code: 421,
  cause: 'load_shedding',
  outcome: 'tempfail',
  ahasendMs: 100,
  totalMs: 2000,
  sessionId: 'session-1',
}
const { code, outcome, ...rest } = LINE
const COMMAND: TailLine = { ...rest, subject: 'session', cause: 'app_tls_closed' }

const PASSES: readonly [filters: Readonly<Record<string, string>>, line: TailLine, passes: boolean][] = [
  [{}, LINE, true],
  [{ app: 'billing' }, LINE, true],
  [{ app: 'shop, billing' }, LINE, true],
  [{ app: 'shop' }, LINE, false],
  [{ code: '421' }, LINE, true],
  [{ code: '4xx' }, LINE, true],
  [{ code: '5XX,421' }, LINE, true],
  [{ code: '5xx,420,422' }, LINE, false],
  [{ code: '2xx' }, COMMAND, false],
  [{ cause: 'idle_timeout,load_shedding' }, LINE, true],
  [{ cause: 'none' }, LINE, false],
  [{ cause: 'app_tls_closed' }, COMMAND, true],
  [{ outcome: 'tempfail,permfail' }, LINE, true],
  [{ outcome: 'accepted' }, LINE, false],
  [{ outcome: 'tempfail' }, COMMAND, false],
  [{ slow: '2s' }, LINE, true],
  [{ slow: '2s1ms' }, LINE, false],
  [{ app: 'billing', code: '4xx', slow: '1s' }, LINE, true],
  [{ app: 'billing', code: '5xx', slow: '1s' }, LINE, false],
]

for (const [filters, line, passes] of PASSES) {
  test(`${JSON.stringify(filters)}: a ${line.subject} ${passes ? 'passes' : 'does not pass'}`, () => {
    const reading = readFilters(Object.entries(filters))
    assert.ok('filter' in reading)
    assert.equal(reading.filter(line), passes)
  })
}

const REFUSED: readonly [name: string, value: string, mistake: RegExp][] = [
  ['app', '', /^--app: got "", expected at least one value$/],
  ['app', 'billing,', /^--app: got "", expected the name of an app$/],
  ['code', '9xx', /^--code: got "9xx", expected a reply code such as 521, or a class of codes such as 4xx$/],
  ['code', '4x1', /^--code: got "4x1"/],
  ['cause', 'load', /^--cause: got "load", expected one of none, idle_timeout, .*app_tls_closed/],
  ['outcome', 'ok', /^--outcome: got "ok", expected one of accepted, tempfail, permfail, aborted, in_doubt$/],
  ['slow', '2', /^--slow: got "2", expected a duration from 1ms to 1h, written like 250ms, 10s or 1m30s$/],
  ['constructor', '2', /^unknown filter, expected one of app, code, cause, outcome, slow$/],
]

for (const [name, value, mistake] of REFUSED) {
  test(`${name} = ${JSON.stringify(value)} is refused`, () => {
    const reading = readFilters([[name, value]])
    assert.ok('mistakes' in reading)
    assert.match(reading.mistakes.join('\n'), mistake)
  })
}

test('every mistake is reported', () => {
  const reading = readFilters(Object.entries({ code: '1xx,6xx', outcome: 'ok' }))
  assert.ok('mistakes' in reading)
  assert.equal(reading.mistakes.length, 3)
})

test('a proxy accepts only the names of its apps', () => {
  const reading = readFilters([['app', 'shop']], ['billing', 'other'])
  assert.deepEqual(reading, { mistakes: ['--app: got "shop", expected one of billing, other'] })
})
