/** The contents of compose.yaml, and that every setting reaches only the services that need it. */

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, test } from 'node:test'
import { ALERT_ROWS } from '../../dashboards/alertmanager/settings.ts'
import { parseOtel } from '../../otel/settings/settings.ts'
import { ADMIN_IN_COMPOSE } from '../../proxy/settings/addresses.ts'
import { parseConfig } from '../../proxy/settings/settings.ts'
import { EXIT_MS } from '../../proxy/settings/stop-grace.ts'
import { SETTINGS } from '../../proxy/settings/table.ts'
import {
  BUILDING,
  EXITING,
  given,
  isOfProxy,
  LISTENERS,
  MONITORING,
  NAMES,
  ONCE,
  only,
  type Port,
  PROBE_NAMES,
  PROBE_VARIABLES,
  PROXY_VARIABLES,
  type Project,
  readProject,
  services,
  settingsIn,
  stackVariables,
  WITH_PROBE,
} from '../support/containers/compose.ts'
import { composeMissing, ROOT } from '../support/containers/engine.ts'
import { OF_THE_MACHINE, OF_THE_PROXY, rehearsalWith } from '../support/containers/rehearsal-env.ts'
import { temporaryDirectory, writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { unless } from '../support/programs/programs.ts'
import { makeAuthority } from '../support/tls/certificates.ts'

const REHEARSAL = { envFiles: ['rehearsal.env'] }

const ALL = ['alertmanager', ONCE, 'grafana', MONITORING, 'prometheus', 'proxy', NAMES, 'tempo']

function published(project: Project): Readonly<Record<string, readonly string[]>> {
  const shown = ({ host_ip, published, target }: Port) => `${host_ip}:${published}:${target}`
  return Object.fromEntries(services(project).flatMap(([name, { ports }]) => (ports ? [[name, ports.map(shown)]] : [])))
}

function text(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8')
}

describe('compose.yaml', unless(composeMissing()), () => {
  test('runs the proxy and its monitoring without any setting', () => {
    const names = Object.keys(readProject().services).sort()
    assert.deepEqual(names, ALL)
  })

  test('runs the probe only with its profile, which changes nothing else and publishes no port', () => {
    // proxy-names and alertmanager-config get the whole file
    const [without, withProbe] = [readProject({ env: { COMPOSE_PROFILES: '' } }), readProject({ env: WITH_PROBE })]
    const { probe, [PROBE_NAMES]: names, ...others } = withProbe.services
    const ofTheFile = new Set(['COMPOSE_PROFILES', 'SETTINGS_FILE'])
    const shown = (all: object) => JSON.stringify(all, (key, value) => (ofTheFile.has(key) ? '' : value))
    assert.equal(shown(others), shown(without.services))
    assert.ok(probe && names)
    assert.deepEqual(published(withProbe), published(without))
    assert.deepEqual(Object.keys(probe.networks ?? {}).sort(), ['default', 'observability'])
    assert.deepEqual([names.network_mode, names.networks], ['none', undefined])
  })

  test('gives the probe a listener of its own, which is not published, and its target', () => {
    const { proxy, probe } = readProject({ env: WITH_PROBE }).services
    const listeners = proxy?.environment?.PROXY_LISTEN?.split(',') ?? []
    assert.equal(listeners.join(), LISTENERS)
    const target = new URL(probe?.environment?.PROBE_TARGET ?? '')
    assert.equal(target.hostname, 'proxy')
    assert.ok(listeners.includes(`smtp://0.0.0.0:${target.port}?client=probe`))
    const metrics = new URL(probe?.environment?.PROBE_METRICS ?? '')
    const job = /job_name: ahasend-smtp-proxy-probe\n {4}dns_sd_configs:\n {6}- names: \[probe\]\n.*\n {8}port: (\d+)$/m
    assert.equal(job.exec(text('otel/stack/prometheus.yml'))?.[1], metrics.port)
  })

  test('publishes only SMTP, the status page and Grafana, and only on this machine', () => {
    assert.deepEqual(published(readProject()), {
      proxy: ['127.0.0.1:2525:2525', '127.0.0.1:9464:9464'],
      grafana: ['127.0.0.1:3000:3000'],
    })
  })

  test('sends mail to AhaSend, the default upstream of the proxy', () => {
    assert.equal(readProject().services.proxy?.environment?.PROXY_UPSTREAM, null)
  })

  test('the rehearsal has its own AhaSend, mail and ports', () => {
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

  test('the rehearsal uses no setting of the real proxy from .env', () => {
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

  test('the probe of the rehearsal uses no setting from .env', () => {
    const env = Object.fromEntries(PROBE_VARIABLES.map((variable) => [variable, 'canary']))
    const project = rehearsalWith({ ...env, COMPOSE_PROFILES: 'probe' })
    assert.doesNotMatch(JSON.stringify(project), /canary/)
    const here = settingsIn(text('rehearsal.env'))
    const kept = PROBE_VARIABLES.filter((variable) => here.get(variable) !== '')
    assert.deepEqual(kept, [], 'add a line `NAME=` for each setting to rehearsal.env')
  })

  test('the proxy of the rehearsal has the same settings with and without .env', async () => {
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

  test('the rehearsal uses only the settings of this machine and the receivers from .env', () => {
    const here = settingsIn(text('rehearsal.env').replaceAll(/^#.*$/gm, ''))
    const fromEnv = [...stackVariables().keys()].filter((variable) => !here.has(variable))
    assert.deepEqual(fromEnv.sort(), Object.values(OF_THE_MACHINE).flat().sort())
    const alerts = Object.fromEntries(ALERT_ROWS.map(({ variable }) => [variable, `value of ${variable}`]))
    // a heartbeat from the rehearsal would hide a failure of the real stack
    const expected = { ...alerts, ALERT_HEARTBEAT_URL: '' }
    assert.deepEqual(only(rehearsalWith(alerts).services[ONCE], Object.keys(alerts)), expected)
  })

  test('the rehearsal shares its certificate authority with the proxy, and only the simulator can write it', () => {
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
    const dockerfiles = [text('Dockerfile'), text('test/rehearsal/Dockerfile')]
    for (const dockerfile of dockerfiles) assert.match(dockerfile, /^USER 1000:1000$/m)
    // a new volume gets the owner of the directory in the image of the first container; both images must agree
    assert.match(dockerfiles[0] ?? '', /^COPY .*--chown=1000:1000 \/volumes\/certificates \/certificates$/m)
    assert.match(dockerfiles[1] ?? '', /^RUN mkdir \/certificates && chown 1000:1000 \/certificates$/m)
    assert.match(dockerfiles[1] ?? '', /^CMD \[.*"--ca-file=\/certificates\/ca\.pem"\]$/m)
  })

  test('gives no service a writable disk or a capability, and limits memory and processes', () => {
    for (const [name, service] of [
      ...services(readProject(REHEARSAL)),
      ...services(readProject({ env: WITH_PROBE })),
    ]) {
      assert.equal(service.read_only, true, name)
      assert.deepEqual([service.cap_drop, service.cap_add, service.privileged], [['ALL'], undefined, undefined], name)
      assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name)
      assert.ok(Number(service.mem_limit) > 0, `${name} has a memory limit`)
      assert.ok((service.pids_limit ?? 0) > 0, `${name} has a process limit`)
      assert.equal(service.restart, EXITING.includes(name) ? 'no' : 'unless-stopped', name)
      assert.equal(service.logging?.driver, 'local', name)
    }
  })

  test('checks the health of every service without a shell', () => {
    const [rehearsal, probe] = [REHEARSAL, { env: WITH_PROBE }].map((more) => readProject({ ...more, files: BUILDING }))
    assert.ok(rehearsal && probe)
    for (const [name, { build, healthcheck }] of [...services(rehearsal), ...services(probe)]) {
      if (EXITING.includes(name)) continue
      if (healthcheck) assert.equal(healthcheck.test[0], 'CMD', name)
      else assert.match(text(build?.dockerfile ?? 'no Dockerfile'), /^HEALTHCHECK .*\\\n {2}CMD \["/m, name)
    }
  })

  test('mounts no file of the project: in a registry artifact, there is none', () => {
    for (const project of [readProject(REHEARSAL), readProject({ env: WITH_PROBE })]) {
      const mounts = services(project).flatMap(([name, { volumes = [] }]) =>
        volumes.map((mount) => ({ name, ...mount })),
      )
      assert.ok(mounts.length > 5)
      assert.deepEqual(
        mounts.filter(({ type }) => type !== 'volume'),
        [],
      )
    }
  })

  test('writes the configuration of the monitoring before it starts, and again when the image changes', () => {
    const { services: all } = readProject()
    const writable = all[MONITORING]?.volumes?.filter(({ read_only }) => !read_only).map(({ source }) => source)
    assert.deepEqual(writable, ['monitoring-settings'])
    assert.deepEqual([all[MONITORING]?.network_mode, given(all[MONITORING])], ['none', {}])
    for (const name of ['prometheus', 'tempo', 'grafana']) {
      const mount = all[name]?.volumes?.find(({ source }) => source === 'monitoring-settings')
      assert.deepEqual([mount?.target, mount?.read_only], ['/etc/stack', true], name)
      const { condition, restart } = all[name]?.depends_on?.[MONITORING] ?? {}
      assert.deepEqual([condition, restart], ['service_completed_successfully', true], name)
    }
    // a new volume gets the owner of this directory
    assert.match(text('Dockerfile'), /^COPY .*--chown=1000:1000 \/volumes\/monitoring \/monitoring$/m)
  })

  test('keeps data in named volumes, within the configured retention', () => {
    const project = readProject({
      env: { PROMETHEUS_RETENTION: '7d', PROMETHEUS_RETENTION_SIZE: '1GB', TEMPO_RETENTION: '24h' },
    })
    assert.deepEqual(Object.keys(project.volumes).sort(), [
      'alertmanager-data',
      'alertmanager-settings',
      'certificates',
      'grafana-data',
      'monitoring-settings',
      'prometheus-data',
      'tempo-data',
    ])
    const { command } = project.services.prometheus ?? {}
    assert.ok(command?.includes('--storage.tsdb.retention.time=7d'))
    assert.ok(command?.includes('--storage.tsdb.retention.size=1GB'))
    assert.ok(!command?.some((flag) => flag.startsWith('--enable-feature')), 'the proxy exports no exemplars')
    assert.equal(project.services.tempo?.environment?.TEMPO_RETENTION, '24h')
    assert.match(text('otel/stack/tempo.yaml'), /block_retention: \$\{TEMPO_RETENTION:-336h\}/)
  })

  test('begins links in notifications with the URLs that are set, which change no path in the stack', () => {
    const urls = { PROMETHEUS_URL: 'https://mon.example/prom', ALERTMANAGER_URL: 'https://mon.example/alerts' }
    for (const [name, variable] of [
      ['prometheus', 'PROMETHEUS_URL'],
      ['alertmanager', 'ALERTMANAGER_URL'],
    ] as const) {
      const [set, unset] = [readProject({ env: urls }), readProject()].map(({ services: all }) => all[name]?.command)
      assert.ok(set?.includes(`--web.external-url=${urls[variable]}`), name)
      assert.ok(unset?.includes('--web.external-url='), name)
      assert.ok(set?.includes('--web.route-prefix=/'), name)
    }
  })

  test('lets apps reach the proxy, but not its monitoring', () => {
    const project = readProject(REHEARSAL)
    const onDefault = services(project).flatMap(([name, { networks = {} }]) => ('default' in networks ? [name] : []))
    assert.deepEqual(onDefault.sort(), ['proxy', 'rehearsal', 'traffic'])
  })

  test('gives the proxy more time to stop than a drain takes', () => {
    const { stopGraceMs, drainTimeoutMs } = SETTINGS
    const drain = drainTimeoutMs.read(drainTimeoutMs.default)
    const grace = stopGraceMs.read(stopGraceMs.default)
    assert.ok('value' in drain && 'value' in grace)
    // plus one scrape interval and the exit
    assert.ok(grace.value >= drain.value + 15_000 + EXIT_MS, `${grace.value} ms for a drain of ${drain.value} ms`)
    for (const [env, period] of [
      [{}, grace],
      [{ PROXY_STOP_GRACE: '1m30s' }, { value: 90_000 }],
    ] as const)
      assert.deepEqual(stopGraceMs.read(readProject({ env }).services.proxy?.stop_grace_period ?? ''), period)
  })

  test('the rehearsal notifies the receivers in .env, and does not call the heartbeat URL', () => {
    const { paths, remove } = writeTemporaryFiles({
      '.env': 'ALERT_SLACK_URL=https://slack.example/x\nALERT_HEARTBEAT_URL=https://hc-ping.example/x\n',
    })
    const envFiles = [relative(ROOT, paths['.env']), 'rehearsal.env']
    const environment = readProject({ envFiles }).services[ONCE]?.environment
    remove()
    assert.equal(environment?.ALERT_SLACK_URL, 'https://slack.example/x')
    assert.equal(environment?.ALERT_HEARTBEAT_URL, '')
  })

  test('has memory for the maximum number of sessions', () => {
    const { mem_limit } = readProject().services.proxy ?? {}
    const sessions = Number(SETTINGS.maxSessions.default)
    // measured: about 95 KB per session, plus the memory of an idle proxy
    assert.ok(Number(mem_limit) >= 200e6 + sessions * 100e3)
  })

  test('can be included by another project, whose apps reach the proxy', () => {
    using directory = temporaryDirectory('project-')
    writeFileSync(join(directory.path, '.env'), 'PROXY_CLIENTS=not-for-an-included-project=10.0.0.0/8\n')
    const file = join(directory.path, 'compose.yaml')
    writeFileSync(
      file,
      `include: [${join(ROOT, 'compose.yaml')}]\nservices: {app: {image: app, depends_on: [proxy]}}\n`,
    )
    const project = readProject({ files: [file] })
    assert.deepEqual(Object.keys(project.services).sort(), [...ALL, 'app'].sort())
    assert.deepEqual(published(project), published(readProject()))
    assert.deepEqual(Object.keys(project.services.app?.networks ?? {}), ['default'])
  })
})

describe('.env.example', () => {
  test('has each variable of compose.yaml, with its default', () => {
    const here = settingsIn(text('.env.example'))
    const rehearsal = settingsIn(text('rehearsal.env'))
    for (const [name, value] of stackVariables()) assert.equal(here.get(name) ?? rehearsal.get(name), value, name)
  })

  test('sets nothing until a # is removed', () => {
    assert.doesNotMatch(text('.env.example'), /^[^#\n]/m)
  })

  test('changes nothing when it is used unchanged', unless(composeMissing()), () => {
    const passedOn = new Set([...PROXY_VARIABLES, ...PROBE_VARIABLES, ...ALERT_ROWS.map(({ variable }) => variable)])
    const values = [...settingsIn(text('.env.example'))].filter(([name]) => !passedOn.has(name))
    const nothing = { SETTINGS_FILE: '.env' }
    assert.deepEqual(readProject({ env: Object.fromEntries(values) }), readProject({ env: nothing }))
  })
})
