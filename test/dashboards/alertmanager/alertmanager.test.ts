/** Alertmanager's configuration from the environment: what the program writes, and how amtool reads it. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { alertmanagerConfig, inhibitionsInWords } from '../../../dashboards/alertmanager/alertmanager.ts'
import { readNotifications } from '../../../dashboards/alertmanager/settings.ts'
import { alertNames } from '../../../dashboards/alerts/alert.ts'
import { type Outcome, run } from '../../clients/command.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { configFor, type Env, type Labels } from '../../support/monitoring/alertmanager.ts'
import { fileOf, missing, unless } from '../../support/programs/programs.ts'

const ALL_RECEIVERS: Env = {
  ALERT_WEBHOOK_URL: 'https://hooks.example.com/alerts?token=abc',
  ALERT_SLACK_URL: 'https://hooks.slack.example/services/T/B/x',
  ALERT_SLACK_CHANNEL: '#mail',
  ALERT_PAGERDUTY_KEY: '0123456789abcdef',
  ALERT_EMAIL_TO: 'ops@example.com, boss@example.com',
  ALERT_EMAIL_FROM: 'alerts@example.com',
  ALERT_EMAIL_SMARTHOST: 'mail.example.com:587',
  ALERT_EMAIL_USER: 'alerts',
  ALERT_EMAIL_PASSWORD: 'pass: "word" {{',
  ALERT_REPEAT: '12h',
  ALERT_HEARTBEAT_URL: 'https://hc-ping.example/8a1c1d5e',
}

/** Runs the program that writes the file, then `check`. */
async function write(env: Env, check: (file: string, outcome: Outcome) => Promise<void> | void): Promise<void> {
  const { directory, remove } = writeTemporaryFiles({})
  const file = join(directory, 'alertmanager.yml')
  try {
    await check(file, await program(file, env))
  } finally {
    remove()
  }
}

function program(file: string, env: Env): Promise<Outcome> {
  const args = [join(import.meta.dirname, '../../..', 'dashboards', 'alertmanager', 'main.ts'), file]
  return run({ file: process.execPath, args, env })
}

function amtool(...args: readonly string[]): Promise<Outcome> {
  return run({ file: fileOf('amtool'), args, env: {} })
}

const RECEIVERS: Readonly<Record<string, Env>> = {
  'no receiver': {},
  'a webhook': { ALERT_WEBHOOK_URL: 'http://127.0.0.1:9/x' },
  Slack: { ALERT_SLACK_URL: 'https://hooks.slack.example/services/T/B/x' },
  PagerDuty: { ALERT_PAGERDUTY_KEY: 'key' },
  email: { ALERT_EMAIL_TO: 'a@b.example', ALERT_EMAIL_FROM: 'c@d.example', ALERT_EMAIL_SMARTHOST: 'mail.example:25' },
  'unencrypted email': {
    ALERT_EMAIL_TO: 'a@b.example',
    ALERT_EMAIL_FROM: 'c@d.example',
    ALERT_EMAIL_SMARTHOST: 'localhost:25',
    ALERT_EMAIL_TLS: 'off',
  },
  'a heartbeat': { ALERT_HEARTBEAT_URL: 'https://hc-ping.example/8a1c1d5e' },
  'all receivers': ALL_RECEIVERS,
}

for (const [receiver, env] of Object.entries(RECEIVERS)) {
  test(`Alertmanager accepts the configuration for ${receiver}`, unless(missing('amtool')), async () => {
    await write(env, async (file, { code, stdout, stderr }) => {
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
      assert.match(stdout, receiver === 'no receiver' ? /: no receivers\n$/ : /: \w/)
      const checked = await amtool('check-config', file)
      assert.equal(checked.code, 0, checked.stdout + checked.stderr)
    })
  })
}

test('the output contains no secret, and only the owner of the file may read it', () =>
  write(ALL_RECEIVERS, async (file, { stdout }) => {
    assert.equal(stdout, `${file}: webhook, Slack, email, PagerDuty; heartbeat\n`)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    // a file of an earlier version
    chmodSync(file, 0o644)
    assert.equal((await program(file, ALL_RECEIVERS)).code, 0)
    assert.equal(statSync(file).mode & 0o777, 0o600)
  }))

const UNWRITABLE: readonly (readonly [reason: string, path: (directory: string) => string, message: RegExp])[] = [
  ['its directory does not exist', (directory) => join(directory, 'none', 'a.yml'), /ENOENT\)\. Create its directory/],
  ['it is a directory', (directory) => directory, /EISDIR\)\. It is a directory: choose a file in it/],
  ['the kernel refuses it', () => '/proc/version', /: cannot be written \(E[A-Z]+\)\. /],
]

for (const [reason, path, message] of UNWRITABLE) {
  test(`a file that cannot be written because ${reason} gives one line and exit code 1`, async (context) => {
    const { directory, remove } = writeTemporaryFiles({})
    context.after(remove)
    const { code, stdout, stderr } = await program(path(directory), ALL_RECEIVERS)
    assert.deepEqual({ code, stdout, lines: stderr.trimEnd().split('\n').length }, { code: 1, stdout: '', lines: 1 })
    assert.match(stderr, message)
    assert.ok(stderr.startsWith(`${path(directory)}: `))
  })
}

const MISSPELLED: readonly (readonly [variable: string, meant: string])[] = [
  ['ALERT_WEBHOK_URL', 'ALERT_WEBHOOK_URL'],
  ['ALERT_SLACK_URI', 'ALERT_SLACK_URL'],
  ['GRAFANA_ADMIN_PASWORD', 'GRAFANA_ADMIN_PASSWORD'],
  ['SMTP_PUBLSH', 'SMTP_PUBLISH'],
]

for (const [variable, meant] of MISSPELLED) {
  test(`${variable} is refused as a misspelling of ${meant}, and no file is written`, () =>
    write({ [variable]: 'the-secret' }, (file, { code, stdout, stderr }) => {
      const expected = `${variable}: there is no such setting. Did you mean ${meant}?\n`
      assert.deepEqual({ code, stdout, stderr }, { code: 2, stdout: '', stderr: expected })
      assert.equal(existsSync(file), false)
    }))
}

test('variables of other programs are accepted; unknown names that begin with ALERT_ are a warning', () =>
  write(
    {
      ALERT_LOUDNESS: 'the-secret',
      SLACK_WEBHOOK_URL: 'x',
      SMTP_HOST: 'x',
      NODE_ENV: 'x',
      LOG_LEVEL: 'x',
      VERSION: 'x',
    },
    (_, { code, stderr }) => {
      const warning = 'warning: ALERT_LOUDNESS: unknown and ignored\n'
      assert.deepEqual({ code, stderr }, { code: 0, stderr: warning })
    },
  ))

test('with a heartbeat alone, the output says that there are no receivers', () =>
  write({ ALERT_HEARTBEAT_URL: 'https://hc-ping.example/8a1c1d5e' }, (file, { stdout }) => {
    assert.equal(stdout, `${file}: no receivers; heartbeat\n`)
  }))

const MISTAKES: readonly (readonly [env: Env, ...messages: string[]])[] = [
  [
    { ALERT_WEBHOOK_URL: 'hooks', ALERT_HEARTBEAT_URL: 'hc-ping.example/8a1c1d5e' },
    'ALERT_WEBHOOK_URL: got "hooks", expected an http or https URL. Correct it, or unset it.',
    'ALERT_HEARTBEAT_URL: got "hc-ping.example/8a1c1d5e", expected an http or https URL. Correct it, or unset it.',
  ],
  [
    { ALERT_SLACK_URL: 'ftp://me:secret@x.example', ALERT_REPEAT: '0' },
    'ALERT_SLACK_URL: got "ftp://***@x.example", expected an http or https URL. Correct it, or unset it.',
    'ALERT_REPEAT: got "0", expected a duration such as 30m, 4h or 1d12h. Correct it, or unset it to use 4h.',
  ],
  [
    { ALERT_EMAIL_TO: 'a@b.example', ALERT_EMAIL_SMARTHOST: 'mail.example' },
    'ALERT_EMAIL_SMARTHOST: got "mail.example", expected host:port, such as mail.example.com:587. Correct it, or unset it.',
    'ALERT_EMAIL_FROM: got nothing, expected a value, because ALERT_EMAIL_TO is set. Set both or neither.',
  ],
  [
    { ALERT_EMAIL_TLS: 'starttls', ALERT_REPEAT: '30m4h' },
    'ALERT_EMAIL_TLS: got "starttls", expected one of required, off. Correct it, or unset it to use required.',
    'ALERT_REPEAT: got "30m4h", expected a duration such as 30m, 4h or 1d12h. Correct it, or unset it to use 4h.',
  ],
  [
    { ALERT_EMAIL_USER: 'me', ALERT_SLACK_CHANNEL: '#mail' },
    'ALERT_SLACK_URL: got nothing, expected a value, because ALERT_SLACK_CHANNEL is set. Set both or neither.',
    'ALERT_EMAIL_PASSWORD: got nothing, expected a value, because ALERT_EMAIL_USER is set. Set both or neither.',
  ],
]

for (const [env, ...messages] of MISTAKES) {
  test(`${JSON.stringify(env)} is refused with all mistakes, and no file is written`, () =>
    write(env, (file, { code, stdout, stderr }) => {
      assert.deepEqual({ code, stdout, messages: stderr.trimEnd().split('\n') }, { code: 2, stdout: '', messages })
      assert.equal(existsSync(file), false)
    }))
}

test('an empty variable counts as unset', () => {
  const empty = Object.fromEntries(Object.keys(ALL_RECEIVERS).map((name) => [name, '']))
  assert.deepEqual(readNotifications(empty), readNotifications({}))
})

const REPEATS = fc.tuple(...['d', 'h', 'm', 's'].map((unit) => fc.option(fc.nat(12_000).map((n) => `${n}${unit}`))))

test('Alertmanager accepts every valid ALERT_REPEAT', unless(missing('amtool')), async (context) => {
  const texts = [
    '1d12h',
    '9999d',
    '9999d9999h9999m9999s',
    '1s',
    ...fc.sample(REPEATS, 60).map((parts) => parts.join('')),
  ]
  const candidates = [...texts, ...fc.sample(REPEATS, 20).map((parts) => parts.toReversed().join(''))].filter(Boolean)
  const accepted = candidates.filter((text) => 'notifications' in readNotifications({ ALERT_REPEAT: text }))
  context.diagnostic(`${accepted.length} of ${candidates.length} accepted: ${accepted.join(' ')}`)
  assert.ok(accepted.length > 10)
  const files = writeTemporaryFiles(
    Object.fromEntries(accepted.map((text, at) => [`${at}.yml`, JSON.stringify(configFor({ ALERT_REPEAT: text }))])),
  )
  const { code, stdout, stderr } = await amtool('check-config', ...Object.values<string>(files.paths))
  files.remove()
  assert.equal(code, 0, stdout + stderr)
})

const WATCHDOG = { alertname: 'SmtpProxyWatchdog', severity: 'none' }

const ROUTES: readonly (readonly [labels: Labels, receiver: string, env?: Env])[] = [
  [{ alertname: 'AhaSendAccountDisabled', severity: 'critical' }, 'page'],
  [{ alertname: 'SmtpProxyErrorBudgetBurning', severity: 'critical' }, 'page'],
  [{ alertname: 'AhaSendCredentialsRejected', severity: 'critical' }, 'page'],
  [{ alertname: 'AhaSendCredentialsRejected', severity: 'warning' }, 'notify'],
  [{ alertname: 'AhaSendMailInDoubt', severity: 'warning' }, 'notify'],
  [{ alertname: 'AhaSendIdleDisconnects', severity: 'info' }, 'none'],
  [{ alertname: 'AlertOfAnotherSystem' }, 'none'],
  [WATCHDOG, 'heartbeat'],
  [{ ...WATCHDOG, alertname: 'Watchdog' }, 'none'],
  [WATCHDOG, 'none', { ...ALL_RECEIVERS, ALERT_HEARTBEAT_URL: '' }],
]

for (const [labels, receiver, env = ALL_RECEIVERS] of ROUTES) {
  test(`${JSON.stringify(labels)} goes to ${receiver}`, unless(missing('amtool')), async () => {
    await write(env, async (file) => {
      const named = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
      const { stdout } = await amtool('config', 'routes', 'test', `--config.file=${file}`, ...named)
      assert.equal(stdout.trim(), receiver)
    })
  })
}

test('PagerDuty receives only critical alerts', () => {
  const { receivers } = configFor(ALL_RECEIVERS)
  const names = receivers.filter((receiver) => 'pagerduty_configs' in receiver).map(({ name }) => name)
  assert.deepEqual(names, ['page'])
})

test('refused credentials of different apps are different incidents', () => {
  const { routes } = configFor(ALL_RECEIVERS).route
  const groups = routes.map((route) => ('group_by' in route ? [route.matchers.at(-1), ...route.group_by] : []))
  assert.deepEqual(
    groups.filter((group) => group.length > 0),
    [['alertname="AhaSendCredentialsRejected"', 'job', 'alertname', 'smtp_client_name']],
  )
})

test('inhibitions and routes name alerts that exist', () => {
  const named = JSON.stringify(configFor({})).matchAll(/alertname!?=~?\\"([^"\\]*)/g)
  const lists = [...named].map(([, list = '']) => list).filter((list) => list !== '(AhaSend|SmtpProxy).+')
  const names = lists.flatMap((list) => list.split('|'))
  assert.ok(names.length > 10)
  assert.deepEqual(
    names.filter((name) => !(alertNames as readonly string[]).includes(name)),
    [],
  )
})

test(
  'the configuration for operators with their own Alertmanager has no receivers',
  unless(missing('amtool')),
  async () => {
    const file = join(import.meta.dirname, '../../..', 'otel', 'stack', 'alertmanager.yml')
    assert.equal((await amtool('check-config', file)).code, 0)
    assert.doesNotMatch(readFileSync(file, 'utf8'), /_configs:/)
  },
)

test('what silences what, in words: each sentence names the alerts of its rule', () => {
  const { inhibit_rules } = alertmanagerConfig({ repeat: '4h', receivers: [] })
  const words = inhibitionsInWords()
  assert.equal(words.length, inhibit_rules.length)
  // the first rule is about all names
  for (const [index, { source_matchers, target_matchers }] of [...inhibit_rules.entries()].slice(1)) {
    const names = [source_matchers[0], target_matchers[0]].flatMap((matcher) => matcher?.match(/\b[A-Z]\w+/g) ?? [])
    assert.ok(names.length > 1)
    for (const name of names) assert.ok(words[index]?.includes(name), `${index}: ${name}`)
  }
})
