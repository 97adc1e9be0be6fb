/** compose.yaml as it is written: what it promises, and that every setting reaches whom it is for and nobody else. */

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, test } from 'node:test'
import { ALERT_ROWS } from '../../dashboards/alertmanager/settings.ts'
import { parseOtel } from '../../otel/settings/settings.ts'
import { parseConfig } from '../../proxy/settings/settings.ts'
import { EXIT_MS } from '../../proxy/settings/stop-grace.ts'
import { SETTINGS } from '../../proxy/settings/table.ts'
import {
  given,
  isOfProxy,
  NAMES,
  ONCE,
  only,
  type Port,
  PROXY_VARIABLES,
  type Project,
  readProject,
  services,
  settingsIn,
  variablesIn,
} from '../support/containers/compose.ts'
import { composeMissing, ROOT } from '../support/containers/engine.ts'
import { OF_THE_MACHINE, OF_THE_PROXY, rehearsalBehind } from '../support/containers/rehearsal-env.ts'
import { readEnvExample, withSettings } from '../support/docs/env-example.ts'
import { temporaryDirectory, writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { unless } from '../support/programs/programs.ts'
import { makeAuthority } from '../support/tls/certificates.ts'

const REHEARSAL = { envFiles: ['rehearsal.env'] }

const ALL = ['alertmanager', ONCE, 'grafana', 'prometheus', 'proxy', NAMES, 'tempo']

function published(project: Project): Readonly<Record<string, readonly string[]>> {
  const shown = ({ host_ip, published, target }: Port) => `${host_ip}:${published}:${target}`
  return Object.fromEntries(services(project).flatMap(([name, { ports }]) => (ports ? [[name, ports.map(shown)]] : [])))
}

function text(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8')
}

describe('compose.yaml', unless(composeMissing()), () => {
  test('has the proxy and what watches it, without any setting', () => {
    const names = Object.keys(readProject().services).sort()
    assert.deepEqual(names, ALL)
  })

  test('publishes SMTP and Grafana on this machine, and nothing else', () => {
    assert.deepEqual(published(readProject()), { proxy: ['127.0.0.1:2525:2525'], grafana: ['127.0.0.1:3000:3000'] })
  })

  test('sends mail to AhaSend, where the proxy sends it by itself', () => {
    assert.equal(readProject().services.proxy?.environment?.PROXY_UPSTREAM, null)
  })

  test('the rehearsal has an AhaSend and mail of its own, and other ports', () => {
    const project = readProject(REHEARSAL)
    assert.deepEqual(Object.keys(project.services).sort().slice(-2), ['tempo', 'traffic'])
    assert.equal(project.name, 'ahasend-rehearsal')
    assert.equal(project.services.proxy?.environment?.PROXY_UPSTREAM, 'smtp://rehearsal:2525')
    const usual = Object.values(published(readProject())).flat()
    const ports = Object.values(published(project)).flat()
    assert.equal(ports.length, 3)
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/)
    assert.deepEqual(
      ports.filter((port) => usual.includes(port)),
      [],
    )
  })

  test('the rehearsal takes no setting of the real proxy from .env', () => {
    // compose.yaml and the tables: what the one forgets, the other has
    const passedOn = Object.keys(readProject().services.proxy?.environment ?? {}).filter(isOfProxy)
    const variables = [...new Set([...passedOn, ...PROXY_VARIABLES])]
    assert.ok(variables.length > 50)
    const env = Object.fromEntries(variables.map((variable) => [variable, `canary of ${variable}`]))
    const leaked = JSON.stringify(rehearsalBehind(env)).matchAll(/canary of ([A-Z0-9_]+)/g)
    assert.deepEqual([...new Set([...leaked].map(([, variable]) => variable))], Object.values(OF_THE_PROXY).flat())
  })

  test('the proxy of the rehearsal is set as if there were no .env', async () => {
    const env = Object.fromEntries(PROXY_VARIABLES.map((variable) => [variable, 'canary']))
    const environment = given(rehearsalBehind(env).services.proxy)
    const inImage = { PROXY_LISTEN: SETTINGS.listeners.inImage, PROXY_ADMIN: SETTINGS.admin.inImage }
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

  test('the rehearsal takes from .env what concerns this machine and whom to tell, and nothing else', () => {
    const here = settingsIn(text('rehearsal.env').replaceAll(/^#.*$/gm, ''))
    const fromEnv = [...variablesIn(text('compose.yaml')).keys()].filter((variable) => !here.has(variable))
    assert.deepEqual(fromEnv.sort(), Object.values(OF_THE_MACHINE).flat().sort())
    const alerts = Object.fromEntries(ALERT_ROWS.map(({ variable }) => [variable, `value of ${variable}`]))
    // its heartbeat would speak for the real stack
    const told = { ...alerts, ALERT_HEARTBEAT_URL: '' }
    assert.deepEqual(only(rehearsalBehind(alerts).services[ONCE], Object.keys(alerts)), told)
  })

  test('the rehearsal keeps its authority where the proxy reads it, and only the simulator writes there', () => {
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
    // a volume that is mounted for the first time belongs to whom the directory belongs, whoever of the two is the first
    assert.match(dockerfiles[0] ?? '', /^COPY .*--chown=1000:1000 \/volumes\/certificates \/certificates$/m)
    assert.match(dockerfiles[1] ?? '', /^RUN mkdir \/certificates && chown 1000:1000 \/certificates$/m)
    assert.match(dockerfiles[1] ?? '', /^CMD \[.*"--ca-file=\/certificates\/ca\.pem"\]$/m)
  })

  test('gives no service a disk, a capability, endless memory or processes', () => {
    for (const [name, service] of services(readProject(REHEARSAL))) {
      assert.equal(service.read_only, true, name)
      assert.deepEqual([service.cap_drop, service.cap_add, service.privileged], [['ALL'], undefined, undefined], name)
      assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name)
      assert.ok(Number(service.mem_limit) > 0, `${name} has a limit of memory`)
      assert.ok((service.pids_limit ?? 0) > 0, `${name} has a limit of processes`)
      assert.equal(service.restart, name === ONCE || name === NAMES ? 'no' : 'unless-stopped', name)
      assert.equal(service.logging?.driver, 'local', name)
    }
  })

  test('knows of every service whether it is well, without a shell', () => {
    for (const [name, { build, healthcheck }] of services(readProject(REHEARSAL))) {
      if (name === ONCE || name === NAMES) continue
      if (healthcheck) assert.equal(healthcheck.test[0], 'CMD', name)
      else assert.match(text(build?.dockerfile ?? 'no Dockerfile'), /^HEALTHCHECK .*\\\n {2}CMD \["/m, name)
    }
  })

  test('mounts files and directories of the project to be read only', () => {
    for (const [name, { volumes = [] }] of services(readProject(REHEARSAL)))
      for (const { type, target, read_only } of volumes)
        if (type === 'bind') assert.equal(read_only, true, `${name} ${target}`)
  })

  test('keeps data in named volumes, for as long and as much as is set', () => {
    const project = readProject({
      env: { PROMETHEUS_RETENTION: '7d', PROMETHEUS_RETENTION_SIZE: '1GB', TEMPO_RETENTION: '24h' },
    })
    assert.deepEqual(Object.keys(project.volumes).sort(), [
      'alertmanager-data',
      'alertmanager-settings',
      'certificates',
      'grafana-data',
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

  test('lets apps reach the proxy, and nothing that watches it', () => {
    const project = readProject(REHEARSAL)
    const onDefault = services(project).flatMap(([name, { networks = {} }]) => ('default' in networks ? [name] : []))
    assert.deepEqual(onDefault.sort(), ['proxy', 'rehearsal', 'traffic'])
  })

  test('gives the proxy longer to stop than it takes', () => {
    const { stopGraceMs, drainTimeoutMs } = SETTINGS
    const drain = drainTimeoutMs.read(drainTimeoutMs.default)
    const grace = stopGraceMs.read(stopGraceMs.default)
    assert.ok('value' in drain && 'value' in grace)
    // one scrape interval, and the exit
    assert.ok(grace.value >= drain.value + 15_000 + EXIT_MS, `${grace.value} ms for a drain of ${drain.value} ms`)
    for (const [env, period] of [
      [{}, grace],
      [{ PROXY_STOP_GRACE: '1m30s' }, { value: 90_000 }],
    ] as const)
      assert.deepEqual(stopGraceMs.read(readProject({ env }).services.proxy?.stop_grace_period ?? ''), period)
  })

  test('the rehearsal tells whom the real stack tells, and does not call its heartbeat', () => {
    const { paths, remove } = writeTemporaryFiles({
      '.env': 'ALERT_SLACK_URL=https://slack.example/x\nALERT_HEARTBEAT_URL=https://hc-ping.example/x\n',
    })
    const envFiles = [relative(ROOT, paths['.env']), 'rehearsal.env']
    const environment = readProject({ envFiles }).services[ONCE]?.environment
    remove()
    assert.equal(environment?.ALERT_SLACK_URL, 'https://slack.example/x')
    assert.equal(environment?.ALERT_HEARTBEAT_URL, '')
  })

  const built = (project: Project) => services(project).flatMap(([, { image, build }]) => (build ? [image] : []))

  test('names a version of each image that others make', () => {
    const project = readProject(REHEARSAL)
    const own = built(project)
    for (const [name, { image }] of services(project))
      if (!own.includes(image)) assert.match(image, /:v?[0-9]+\.[0-9]+\.[0-9]+$/, name)
  })

  test('builds each of its own images in one place, and pulls none of them', () => {
    const project = readProject(REHEARSAL)
    const own = built(project)
    assert.deepEqual(own.sort(), ['ahasend-smtp-proxy', 'ahasend-smtp-proxy-rehearsal'])
    for (const [name, { image, build, pull_policy }] of services(project))
      if (own.includes(image) && !build) assert.equal(pull_policy, 'never', name)
  })

  test('has memory for as many sessions as the proxy takes', () => {
    const { mem_limit } = readProject().services.proxy ?? {}
    const sessions = Number(SETTINGS.maxSessions.default)
    // measured: some 95 KB a session, beside what a proxy without any needs
    assert.ok(Number(mem_limit) >= 200e6 + sessions * 100e3)
  })

  test('is taken in by another project with include, and apps there reach the proxy', () => {
    using directory = temporaryDirectory('project-')
    writeFileSync(join(directory.path, '.env'), 'PROXY_CLIENTS=not-for-an-included-project=10.0.0.0/8\n')
    const file = join(directory.path, 'compose.yaml')
    writeFileSync(
      file,
      `include: [${join(ROOT, 'compose.yaml')}]\nservices: {app: {image: app, depends_on: [proxy]}}\n`,
    )
    const project = readProject({ file })
    assert.deepEqual(Object.keys(project.services).sort(), [...ALL, 'app'].sort())
    assert.deepEqual(published(project), published(readProject()))
    assert.equal(project.services.proxy?.build?.context, ROOT.replace(/\/$/, ''))
    assert.deepEqual(Object.keys(project.services.app?.networks ?? {}), ['default'])
  })
})

describe('.env.example', () => {
  test('has every setting of the proxy as the tables say (npm run readme)', () => {
    assert.equal(withSettings(readEnvExample()), readEnvExample())
  })

  test('has each variable of compose.yaml, with the value that holds without it', () => {
    const here = settingsIn(readEnvExample())
    const rehearsal = settingsIn(text('rehearsal.env'))
    for (const [name, value] of variablesIn(text('compose.yaml')))
      assert.equal(here.get(name) ?? rehearsal.get(name), value, name)
  })

  test('sets nothing until a # is taken away', () => {
    assert.doesNotMatch(readEnvExample(), /^[^#\n]/m)
  })

  test('taken as it stands, changes nothing', unless(composeMissing()), () => {
    const passedOn = new Set([...PROXY_VARIABLES, ...ALERT_ROWS.map(({ variable }) => variable)])
    const values = [...settingsIn(readEnvExample())].filter(([name]) => !passedOn.has(name))
    const nothing = { SETTINGS_FILE: '.env' }
    assert.deepEqual(readProject({ env: Object.fromEntries(values) }), readProject({ env: nothing }))
  })
})
