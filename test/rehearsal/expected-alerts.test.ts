/**
 * The times on the control page are those of the generated rules: promtool plays what a proxy exported during each incident,
 * once after five minutes of normal mail and once after more than an hour.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BUTTONS } from '../dashboards/alerts/incidents.ts'
import { EXPECTED_ALERTS, type ExpectedAlert } from '../simulator/expected-alerts.ts'
import { REHEARSALS } from '../simulator/rehearsals.ts'
import { missing, unless } from '../support/programs/programs.ts'
import { readPage, withTable } from './incident-table.ts'
import { readRecordings, STEP_SECONDS, withoutNames } from './recordings.ts'
import { type Course, type Fired, replay } from './replay.ts'

/** Until the next scrape and the next evaluation: both can be one interval later than in the recording. */
const LATER = 2 * STEP_SECONDS
/** The page shows minutes. Every fourth scrape finds the minute, not the quarter. */
const MINUTE = 60

const FRESH: Course = { calm: 5, faulty: 15, after: 0 }
/** Long enough for all alerts to fire, and for most to resolve. */
const FRESH_LONG: Course = { calm: 5, faulty: 15, after: 75, every: 4 }

/** Played until all alerts have resolved: some look back six hours. */
function afterAnHour(id: string): Course {
  const resolves = (EXPECTED_ALERTS[id] ?? []).map((alert) =>
    typeof alert.resolves === 'string' ? 0 : alert.resolves[1],
  )
  return { calm: 75, faulty: 15, after: Math.max(...resolves) > 120 * MINUTE ? 380 : 75, every: 4 }
}

/** An incident that ends by itself. */
const SINGLE: Course = { calm: 20, faulty: 0.25, after: 45 }

/** Fires for an app such as `reports` with or without an incident: it sends so seldom that its connections idle. */
const NORMAL = 'AhaSendIdleDisconnects info'

/** Incidents whose alerts count by app: in Compose, the apps have no names. */
const BY_APP = ['wrong-credentials', 'message-format', 'recipients-rejected', 'close-after-the-dot']

function keyOf({ name, severity }: ExpectedAlert): string {
  return `${name} ${severity}`
}

function assertAsExpected(id: string, course: Course, found: ReadonlyMap<string, Fired>): void {
  const end = (course.faulty + course.after) * MINUTE
  const expected = (EXPECTED_ALERTS[id] ?? []).filter(({ fires }) => fires[0] < end)
  const fired = [...found.keys()].filter((alert) => alert !== NORMAL)
  assert.deepEqual(fired.sort(), expected.map(keyOf).sort(), `${id} ${JSON.stringify(course)}`)
  for (const alert of expected) assertTimes(alert, course, found)
}

function assertTimes(alert: ExpectedAlert, course: Course, found: ReadonlyMap<string, Fired>): void {
  const { fired, resolved } = found.get(keyOf(alert))!
  const { fires, resolves } = alert
  const slack = course.every === undefined ? 0 : MINUTE
  const what = `${keyOf(alert)} ${JSON.stringify({ course, fired, resolved })}`
  assert.ok(fired + slack >= fires[0] && fired + LATER <= fires[1], `${what} fires`)
  if (typeof resolves === 'string') {
    const other = found.get(`${resolves} critical`)
    assert.equal(resolved! + course.faulty * MINUTE, other?.fired, `${what} ends when ${resolves} fires`)
  } else if (course.after * MINUTE > resolves[1]) {
    assert.ok(
      resolved !== undefined && resolved >= resolves[0] - slack && resolved + LATER <= resolves[1],
      `${what} resolves`,
    )
  }
}

describe('the alerts on the control page', unless(missing('promtool')), () => {
  const recordings = readRecordings()
  const calm = recordings['all-well']!

  for (const [id, recording] of Object.entries(recordings)) {
    const courses = id === 'one-521' ? [SINGLE] : [FRESH, FRESH_LONG, afterAnHour(id)]
    test(`of ${id} fire and resolve at the times that it shows`, { timeout: 240_000 }, async () => {
      for (const course of courses) assertAsExpected(id, course, await replay(recording, calm, course))
    })
  }

  for (const id of BY_APP)
    test(`of ${id} are the same for apps without names`, { timeout: 240_000 }, async () => {
      const played = [withoutNames(recordings[id]!), withoutNames(calm)] as const
      const course = afterAnHour(id)
      assertAsExpected(id, course, await replay(...played, course))
    })
})

test('every incident is recorded, and every recording is one of an incident', () => {
  assert.deepEqual(Object.keys(readRecordings()).sort(), REHEARSALS.map(({ id }) => id).sort())
  for (const id of Object.keys(EXPECTED_ALERTS))
    assert.ok(
      REHEARSALS.some((rehearsal) => rehearsal.id === id),
      id,
    )
})

test('the page names the alerts that each button raises in a real Prometheus', () => {
  for (const [id, raised] of Object.entries(BUTTONS)) {
    const named = (EXPECTED_ALERTS[id] ?? []).map(keyOf)
    // the minutes of that test are seconds, so it also waits for alerts that a quarter of an hour does not raise
    const longer = ['AhaSendUnreachable warning', NORMAL]
    const absent = raised.filter((alert) => !named.includes(alert) && !longer.includes(alert))
    assert.deepEqual(absent, [], id)
  }
})

test('the table in docs/rehearsing.md is that of the page', () => {
  assert.equal(readPage(), withTable(readPage()), 'run: node test/rehearsal/incident-table.ts')
})
