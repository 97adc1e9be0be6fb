/**
 * Every alert in a real Prometheus that scrapes a real proxy. A button on the page of faults raises it, or an incident if
 * there is no button. A minute of the rules takes a second; otherwise they are unchanged. A new alert needs an entry in
 * FROM_THE_START, BUTTONS, INCIDENTS or SILENT of incidents.ts.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { rulesOf } from '../../../dashboards/alerts/alerts.ts'
import { REHEARSALS, rehearse } from '../../simulator/rehearsals.ts'
import { selectorsIn } from '../../support/monitoring/dashboards.ts'
import { type Labels, prometheusMissing } from '../../support/monitoring/prometheus.ts'
import { unless } from '../../support/programs/programs.ts'
import {
  BUTTONS,
  FROM_THE_START,
  INCIDENTS,
  LIMIT_MS,
  type Raised,
  SILENT,
  type Stage,
  selectorOf,
  startStage,
  TRAFFIC,
} from './incidents.ts'

function nameOf({ alertname, severity }: Labels): Raised {
  return `${alertname} ${severity}` as Raised
}

/** The alerts raised so far, including pending ones, except a pending SmtpProxyAbsent from before the first scrape. */
async function raisedIn({ prometheus }: Stage): Promise<Set<Raised>> {
  const selectors = ['ALERTS{alertname!="SmtpProxyAbsent"}', 'ALERTS{alertstate="firing"}']
  const found = await Promise.all(selectors.map((selector) => prometheus.series(selector)))
  return new Set(found.flat().map(nameOf))
}

describe('every alert', unless(prometheusMissing()), () => {
  const stack = new AsyncDisposableStack()
  let stage: Stage

  before(async () => {
    stage = await startStage(stack)
  })

  after(() => stack.disposeAsync())

  const isQuiet = (alert: Raised) => stage.prometheus.waitFor(selectorOf(alert), ({ length }) => length === 0, LIMIT_MS)
  const isRaised = (alert: Raised) => stage.prometheus.waitFor(selectorOf(alert), undefined, LIMIT_MS)

  for (const alert of FROM_THE_START)
    test(`${alert} is raised from the start`, async () => {
      await isRaised(alert)
    })

  test('without failures, no other alert is raised', async () => {
    const raised = await raisedIn(stage)
    // on a slow machine, a scrape can exceed its timeout and fail
    raised.delete('SmtpProxyDown critical')
    assert.deepEqual(raised, new Set(FROM_THE_START))
  })

  for (const [id, raises] of Object.entries(BUTTONS))
    test(`the button ${id} raises ${raises.join(', ') || 'nothing'}`, async () => {
      const { simulator } = stage
      for (const alert of raises) await isQuiet(alert)
      assert.ok(rehearse(id, simulator.faults))
      await TRAFFIC[id]?.(stage)
      for (const alert of raises) await isRaised(alert)
      rehearse('all-well', simulator.faults)
    })

  test('no button raises AhaSendDroppingSessions, not even unreachable or idle-disconnects', async () => {
    assert.deepEqual(await stage.prometheus.series('ALERTS{alertname="AhaSendDroppingSessions"}'), [])
  })

  for (const { name, raises, happens } of INCIDENTS)
    test(`${name}: ${raises.join(', ')}`, async () => {
      for (const alert of raises) await isQuiet(alert)
      await happens(stage)
      for (const alert of raises) await isRaised(alert)
      rehearse('all-well', stage.simulator.faults)
    })

  test('the alerts that rules look up in ALERTS have fired', async () => {
    const selectors = rulesOf().alerts.flatMap(({ expr }) => selectorsIn(expr).filter(({ name }) => name === 'ALERTS'))
    assert.notEqual(selectors.length, 0)
    for (const { name, conditions } of selectors)
      assert.notDeepEqual(await stage.prometheus.series(`${name}{${conditions}}`), [], conditions)
  })

  test('no alert of the list SILENT was raised', async () => {
    assert.deepEqual(
      [...(await raisedIn(stage))].filter((alert) => SILENT[alert] !== undefined),
      [],
    )
  })
})

test('BUTTONS lists every button of the page of faults', () => {
  assert.deepEqual(REHEARSALS.map(({ id }) => id).sort(), Object.keys(BUTTONS).sort())
})

test('every alert is on one of the lists', () => {
  const listed = [...FROM_THE_START, ...Object.values(BUTTONS).flat(), ...INCIDENTS.flatMap(({ raises }) => raises)]
  const all = rulesOf().alerts.map(({ name, severity }): Raised => `${name} ${severity}`)
  const known = [...new Set([...listed, ...(Object.keys(SILENT) as Raised[])])]
  assert.deepEqual(
    known.sort(),
    all.sort(),
    'list each alert in FROM_THE_START, BUTTONS, INCIDENTS or SILENT of incidents.ts',
  )
})
