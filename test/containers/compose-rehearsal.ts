/** What rehearsal.env makes of compose.yaml: a stack of its own that sends no mail and uses no setting of the real proxy. */
import assert from 'node:assert/strict'
import { relative } from 'node:path'
import { describe, test } from 'node:test'
import { ALERT_ROWS } from '../../dashboards/alertmanager/settings.ts'
import { parseOtel } from '../../otel/settings/settings.ts'
import { ADMIN_IN_COMPOSE } from '../../proxy/settings/addresses.ts'
import { parseConfig } from '../../proxy/settings/settings.ts'
import {
  given,
  isOfProxy,
  LISTENERS,
  ONCE,
  only,
  PROBE_VARIABLES,
  PROXY_VARIABLES,
  published,
  readProject,
  settingsIn,
  stackVariables,
  textOf,
} from '../support/containers/compose.ts'
import { composeMissing, ROOT } from '../support/containers/engine.ts'
import { OF_THE_MACHINE, OF_THE_PROXY, rehearsalWith } from '../support/containers/rehearsal-env.ts'
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { unless } from '../support/programs/programs.ts'
import { makeAuthority } from '../support/tls/certificates.ts'

const REHEARSAL = { envFiles: ['rehearsal.env'] }

describe('The rehearsal of compose.yaml', unless(composeMissing()), () => {
  test('has its own AhaSend, mail and ports', () => {
    const project = readProject(REHEARSAL)
    assert.deepEqual(Object.keys(project.services).sort().slice(-2), ['tempo', 'traffic'])
    assert.equal(project.name, 'ahasend-rehearsal')
    assert.equal(project.services.proxy?.environment?.PROXY_UPSTREAM, 'smtp://rehearsal:2525')
    const usual = Object.values(published(readProject())).flat()
    const ports = Object.values(published(project)).flat()
    assert.equal(ports.length, 4)
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/)
    assert.deepEqual(
      ports.filter((port) => usual.includes(port)),
      [],
    )
  })

  test('uses no setting of the real proxy from .env', () => {
    // names from compose.yaml and from the tables, so that none is missing
    const passedOn = Object.keys(readProject().services.proxy?.environment ?? {}).filter(isOfProxy)
    const variables = [...new Set([...passedOn, ...PROXY_VARIABLES])]
    assert.ok(variables.length > 50)
    const env = Object.fromEntries(variables.map((variable) => [variable, `canary of ${variable}`]))
    const leaked = JSON.stringify(rehearsalWith(env)).matchAll(/canary of ([A-Z0-9_]+)/g)
    const unreset = [...new Set([...leaked].map(([, variable]) => variable))]
    assert.deepEqual(
      unreset,
      Object.values(OF_THE_PROXY).flat(),
      'add a line `NAME=` for each setting to rehearsal.env',
    )
  })

  test('has a probe that uses no setting from .env', () => {
    const env = Object.fromEntries(PROBE_VARIABLES.map((variable) => [variable, 'canary']))
    const project = rehearsalWith({ ...env, COMPOSE_PROFILES: 'probe' })
    assert.doesNotMatch(JSON.stringify(project), /canary/)
    const here = settingsIn(textOf('rehearsal.env'))
    const kept = PROBE_VARIABLES.filter((variable) => here.get(variable) !== '')
    assert.deepEqual(kept, [], 'add a line `NAME=` for each setting to rehearsal.env')
  })

  test('has a proxy with the same settings with and without .env', async () => {
    const env = Object.fromEntries(PROXY_VARIABLES.map((variable) => [variable, 'canary']))
    const environment = given(rehearsalWith(env).services.proxy)
    const inImage = { PROXY_LISTEN: LISTENERS, PROXY_ADMIN: ADMIN_IN_COMPOSE }
    const own = { ...inImage, PROXY_UPSTREAM: 'smtp://rehearsal:2525' }
    const authority = { PROXY_UPSTREAM_CA_FILE: '/certificates/ca.pem' }
    const { certPem } = await makeAuthority()
    const config = parseConfig(environment, () => certPem)
    assert.ok('config' in config, JSON.stringify(config))
    assert.deepEqual(
      config,
      parseConfig({ ...own, ...authority }, () => certPem),
    )
    const telemetry = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://tempo:4318', OTEL_TRACES_SAMPLER_ARG: '1' }
    const settings = parseOtel(environment)
    assert.ok('settings' in settings, JSON.stringify(settings))
    assert.deepEqual(settings, parseOtel(telemetry))
  })

  test('uses only the settings of this machine and the receivers from .env', () => {
    const here = settingsIn(textOf('rehearsal.env').replaceAll(/^#.*$/gm, ''))
    const fromEnv = [...stackVariables().keys()].filter((variable) => !here.has(variable))
    assert.deepEqual(fromEnv.sort(), Object.values(OF_THE_MACHINE).flat().sort())
    const alerts = Object.fromEntries(ALERT_ROWS.map(({ variable }) => [variable, `value of ${variable}`]))
    // a heartbeat from the rehearsal would hide a failure of the real stack
    const expected = { ...alerts, ALERT_HEARTBEAT_URL: '' }
    assert.deepEqual(only(rehearsalWith(alerts).services[ONCE], Object.keys(alerts)), expected)
  })

  test('shares its certificate authority with the proxy, and only the simulator can write it', () => {
    const { rehearsal, proxy } = readProject(REHEARSAL).services
    const mounts = [rehearsal, proxy].map((service) =>
      service?.volumes?.find(({ target }) => target === '/certificates'),
    )
    assert.deepEqual(
      mounts.map((mount) => [mount?.type, mount?.source, mount?.read_only === true]),
      [
        ['volume', 'certificates', false],
        ['volume', 'certificates', true],
      ],
    )
    const dockerfiles = [textOf('Dockerfile'), textOf('test/rehearsal/Dockerfile')]
    for (const dockerfile of dockerfiles) assert.match(dockerfile, /^USER 1000:1000$/m)
    // a new volume gets the owner of the directory in the image of the first container; both images must agree
    assert.match(dockerfiles[0] ?? '', /^COPY .*--chown=1000:1000 \/volumes\/certificates \/certificates$/m)
    assert.match(dockerfiles[1] ?? '', /^RUN mkdir \/certificates && chown 1000:1000 \/certificates$/m)
    assert.match(dockerfiles[1] ?? '', /^CMD \[.*"--ca-file=\/certificates\/ca\.pem"\]$/m)
  })

  test('notifies the receivers in .env, and does not call the heartbeat URL', () => {
    const { paths, remove } = writeTemporaryFiles({
      '.env': 'ALERT_SLACK_URL=https://slack.example/x\nALERT_HEARTBEAT_URL=https://hc-ping.example/x\n',
    })
    const envFiles = [relative(ROOT, paths['.env']), 'rehearsal.env']
    const environment = readProject({ envFiles }).services[ONCE]?.environment
    remove()
    assert.equal(environment?.ALERT_SLACK_URL, 'https://slack.example/x')
    assert.equal(environment?.ALERT_HEARTBEAT_URL, '')
  })
})
