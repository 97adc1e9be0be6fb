/** Which settings of .env reach which service of compose.yaml, and which service reports unknown names. */

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, test } from 'node:test'
import { PROBE_ROWS, unknownProbeNames } from '../../app/probe/settings.ts'
import { ALERT_ROWS } from '../../dashboards/alertmanager/settings.ts'
import { STACK_VARIABLES } from '../../dashboards/alertmanager/stack-variables.ts'
import { ignoredVariables } from '../../otel/settings/checks.ts'
import { OTLP_SETTINGS, ownVariable, SIGNALS } from '../../otel/settings/table.ts'
import { ADMIN_IN_COMPOSE } from '../../proxy/settings/addresses.ts'
import { COMPOSE_NAMES, misspelledVariables } from '../../proxy/settings/checks.ts'
import { unknownNames } from '../../settings/names.ts'
import {
  FIXED,
  given,
  isOfProbe,
  isOfProxy,
  LISTENERS,
  NAMES,
  ONCE,
  only,
  PROBE_NAMES,
  PROBE_VARIABLES,
  PROXY_VARIABLES,
  readProject,
  services,
  stackVariables,
  WITH_PROBE,
} from '../support/containers/compose.ts'
import { composeMissing, ROOT } from '../support/containers/engine.ts'
import { temporaryDirectory, writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { unless } from '../support/programs/programs.ts'

function text(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8')
}

const COMPOSE = unless(composeMissing())

describe('A setting in .env', COMPOSE, () => {
  test('reaches the proxy', () => {
    const any = Object.fromEntries(PROXY_VARIABLES.map((variable) => [variable, `value of ${variable}`]))
    // Compose itself reads this setting
    const env = { ...any, PROXY_STOP_GRACE: '90s' }
    assert.deepEqual(
      only(readProject({ env }).services.proxy, PROXY_VARIABLES),
      env,
      'list each setting in compose.yaml',
    )
  })

  test('that is missing leaves the default of the image, and Tempo for traces', () => {
    const environment = readProject().services.proxy?.environment ?? {}
    const set = Object.entries(environment).filter(([name, value]) => value !== null && isOfProxy(name))
    assert.deepEqual(Object.fromEntries(set), {
      PROXY_LISTEN: LISTENERS,
      PROXY_ADMIN: ADMIN_IN_COMPOSE,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://tempo:4318',
    })
    // a variable without a value removes the one of the image
    const ofImage = [...text('Dockerfile').matchAll(/(PROXY_[A-Z_]+)=/g)].map(([, name]) => name)
    assert.deepEqual(
      ofImage.filter((name) => name !== undefined && environment[name] === null),
      [],
    )
  })

  test('turns traces off, when it is an empty endpoint', () => {
    const { environment } = readProject({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: '' } }).services.proxy ?? {}
    assert.equal(environment?.OTEL_EXPORTER_OTLP_ENDPOINT, '')
  })

  test('for a receiver of alerts is written to a file before Alertmanager starts', () => {
    const env = Object.fromEntries(ALERT_ROWS.map(({ variable }) => [variable, `value of ${variable}`]))
    const { services: all } = readProject({ env })
    assert.deepEqual(only(all[ONCE], Object.keys(env)), env)
    assert.equal(all.alertmanager?.depends_on?.[ONCE]?.condition, 'service_completed_successfully')
  })

  test('for Alertmanager is written by the user who reads it', () => {
    const { services: all } = readProject()
    assert.equal(all[ONCE]?.user, '65534:65534')
    assert.equal(all.alertmanager?.user, all[ONCE]?.user)
    // a new volume gets the owner of this directory
    assert.match(text('Dockerfile'), /^COPY .*--chown=65534:65534 \/volumes\/config \/config$/m)
  })

  test('reaches the probe', () => {
    const any = Object.fromEntries(PROBE_VARIABLES.map((variable) => [variable, `value of ${variable}`]))
    const { probe } = readProject({ env: { ...any, ...WITH_PROBE } }).services
    assert.deepEqual(only(probe, PROBE_VARIABLES), any, 'list each setting in compose.yaml')
  })

  test('that is missing leaves the defaults of the image for the probe', () => {
    const { environment = {} } = readProject({ env: WITH_PROBE }).services.probe ?? {}
    const set = Object.entries(environment).filter(([, value]) => value !== null)
    const inImage = PROBE_ROWS.flatMap(({ variable, inImage }) => (inImage === undefined ? [] : [[variable, inImage]]))
    assert.deepEqual(Object.fromEntries(set), Object.fromEntries(inImage))
    for (const [variable, value] of set) assert.ok(text('Dockerfile').includes(`${variable}=${value}`), variable)
  })

  const SECRETS: Readonly<Record<string, readonly string[]>> = {
    PROBE_USER: ['probe'],
    PROBE_PASSWORD: ['probe'],
    GRAFANA_ADMIN_PASSWORD: ['grafana'],
    OTEL_EXPORTER_OTLP_HEADERS: ['proxy'],
    ...Object.fromEntries(SIGNALS.map((signal) => [ownVariable(OTLP_SETTINGS.headers, signal), ['proxy']])),
    ...Object.fromEntries(ALERT_ROWS.map(({ variable }) => [variable, [ONCE]])),
  }
  for (const [variable, readers] of Object.entries(SECRETS))
    test(`${variable} reaches only ${readers}`, () => {
      const project = readProject({ env: { ...WITH_PROBE, [variable]: 'the-secret' } })
      const found = services(project).filter(([, service]) => JSON.stringify(service).includes('the-secret'))
      assert.deepEqual(
        found.map(([name]) => name),
        readers,
      )
    })
})

describe('Unknown names in .env', COMPOSE, () => {
  test('are reported before the proxy and Alertmanager start, if they resemble their settings', () => {
    const { services: all } = readProject({ env: { PROXY_LISTN: 'x', OTEL_SERVICE_NAM: 'x', ALERT_WEBHOK_URL: 'x' } })
    assert.equal(all.proxy?.depends_on?.[NAMES]?.condition, 'service_completed_successfully')
    const [ofProxy, alerts] = [all[NAMES], all[ONCE]].map((service) => given(service))
    assert.deepEqual(misspelledVariables({ ...ofProxy }), [
      'PROXY_LISTN: there is no such setting. Did you mean PROXY_LISTEN?',
    ])
    assert.deepEqual(ignoredVariables({ ...ofProxy }), ['OTEL_SERVICE_NAM'])
    const names = ALERT_ROWS.map(({ variable }) => variable)
    assert.deepEqual(unknownNames({ ...alerts }, names).misspelled, [
      'ALERT_WEBHOK_URL: there is no such setting. Did you mean ALERT_WEBHOOK_URL?',
    ])
  })

  test('of the probe are reported before the probe starts, and stop nothing else', () => {
    const env = { PROBE_PASWORD: 'x', ...WITH_PROBE }
    const { services: all } = readProject({ env })
    assert.equal(all.probe?.depends_on?.[PROBE_NAMES]?.condition, 'service_completed_successfully')
    const dependent = services(readProject({ env })).filter(([, { depends_on = {} }]) => PROBE_NAMES in depends_on)
    assert.deepEqual(
      dependent.map(([name]) => name),
      ['probe'],
    )
    assert.deepEqual(unknownProbeNames(given(all[PROBE_NAMES])).misspelled, [
      'PROBE_PASWORD: there is no such setting. Did you mean PROBE_PASSWORD?',
    ])
    assert.deepEqual(all[PROBE_NAMES]?.command, ['probe', '--check-names'])
  })

  test('are ignored in a file that is not passed to Compose', () => {
    const known = [
      ...PROXY_VARIABLES,
      ...PROBE_VARIABLES,
      ...FIXED,
      ...ALERT_ROWS.map(({ variable }) => variable),
      'GRAFANA_ADMIN_PASSWORD',
    ]
    const foreign = ['DATABASE_URL', 'NODE_OPTIONS', 'NODE_DEBUG', 'NODE_EXTRA_CA_CERTS']
    const { paths, remove } = writeTemporaryFiles({
      other: [...known, ...foreign].map((name) => `${name}=canary\n`).join(''),
    })
    const { services: all } = readProject({ env: { ...WITH_PROBE, SETTINGS_FILE: paths.other } })
    remove()
    for (const name of ['proxy', 'probe', 'alertmanager', 'grafana'])
      assert.deepEqual(
        Object.entries(given(all[name])).filter(([, value]) => value === 'canary'),
        [],
      )
    // these services read the whole file, to find misspelled names
    for (const name of [NAMES, PROBE_NAMES, ONCE]) {
      assert.equal(all[name]?.network_mode, 'none', name)
      const { NODE_OPTIONS, NODE_DEBUG, NODE_EXTRA_CA_CERTS, PROBE_USER, PROBE_PASSWORD } = given(all[name])
      const blank = [NODE_OPTIONS, NODE_DEBUG, NODE_EXTRA_CA_CERTS, PROBE_USER, PROBE_PASSWORD]
      assert.deepEqual(blank, ['', '', '', '', ''], name)
    }
  })

  test('do not include any variable that compose.yaml reads', () => {
    const names = [...stackVariables().keys()]
    const settings = [...PROXY_VARIABLES, ...FIXED]
    const ofProbe = names.filter((name) => isOfProbe(name) && !PROBE_VARIABLES.includes(name))
    assert.deepEqual(ofProbe, [])
    const [ofProxy, others] = [names.filter(isOfProxy), names.filter((name) => !isOfProxy(name) && !isOfProbe(name))]
    assert.deepEqual(ofProxy.filter((name) => !settings.includes(name)).sort(), COMPOSE_NAMES.toSorted())
    assert.deepEqual(others.sort(), STACK_VARIABLES.toSorted())
  })

  test('are reported for the .env of an including project, if that sets SETTINGS_FILE', () => {
    using directory = temporaryDirectory('project-')
    const own = join(directory.path, '.env')
    writeFileSync(own, `SETTINGS_FILE=${own}\nPROXY_LISTN=x\nDATABASE_URL=x\n`)
    const file = join(directory.path, 'compose.yaml')
    writeFileSync(file, `include: [${join(ROOT, 'compose.yaml')}]\n`)
    const { services: all } = readProject({ files: [file], envFiles: [relative(ROOT, own)] })
    assert.match(misspelledVariables(given(all[NAMES])).join(), /^PROXY_LISTN: /)
  })
})
