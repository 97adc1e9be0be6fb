/** The contents of compose.yaml, and that every setting reaches only the services that need it. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ALERT_ROWS } from '../../dashboards/alertmanager/settings.ts'
import { EXIT_MS } from '../../proxy/settings/stop-grace.ts'
import { SETTINGS } from '../../proxy/settings/table.ts'
import {
  BUILDING,
  EXITING,
  given,
  LISTENERS,
  MONITORING,
  NAMES,
  ONCE,
  PROBE_NAMES,
  PROBE_VARIABLES,
  PROXY_VARIABLES,
  published,
  readProject,
  services,
  settingsIn,
  stackVariables,
  textOf,
  WITH_PROBE,
} from '../support/containers/compose.ts'
import { composeMissing, ROOT } from '../support/containers/engine.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import { unless } from '../support/programs/programs.ts'

const REHEARSAL = { envFiles: ['rehearsal.env'] }

const ALL = ['alertmanager', ONCE, 'grafana', MONITORING, 'prometheus', 'proxy', NAMES, 'tempo']

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
    assert.equal(job.exec(textOf('otel/stack/prometheus.yml'))?.[1], metrics.port)
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
      else assert.match(textOf(build?.dockerfile ?? 'no Dockerfile'), /^HEALTHCHECK .*\\\n {2}CMD \["/m, name)
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
    assert.match(textOf('Dockerfile'), /^COPY .*--chown=1000:1000 \/volumes\/monitoring \/monitoring$/m)
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
    assert.match(textOf('otel/stack/tempo.yaml'), /block_retention: \$\{TEMPO_RETENTION:-336h\}/)
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
    const here = settingsIn(textOf('.env.example'))
    const rehearsal = settingsIn(textOf('rehearsal.env'))
    for (const [name, value] of stackVariables()) assert.equal(here.get(name) ?? rehearsal.get(name), value, name)
  })

  test('sets nothing until a # is removed', () => {
    assert.doesNotMatch(textOf('.env.example'), /^[^#\n]/m)
  })

  test('changes nothing when it is used unchanged', unless(composeMissing()), () => {
    const passedOn = new Set([...PROXY_VARIABLES, ...PROBE_VARIABLES, ...ALERT_ROWS.map(({ variable }) => variable)])
    const values = [...settingsIn(textOf('.env.example'))].filter(([name]) => !passedOn.has(name))
    const nothing = { SETTINGS_FILE: '.env' }
    assert.deepEqual(readProject({ env: Object.fromEntries(values) }), readProject({ env: nothing }))
  })
})
