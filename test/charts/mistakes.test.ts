/** Values that Helm refuses before anything changes, each with a message that says what to do. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CHART, helm, needsHelm, refusal, type Values } from '../support/charts/helm.ts'

const SECRET = { secretKeyRef: { name: 'a', key: 'b' } }

const MISTAKES: readonly (readonly [what: string, values: Values, message: RegExp])[] = [
  ['a misspelled setting', { settings: { PROXY_LISTN: 'smtp://0.0.0.0:2525' } }, /'PROXY_LISTN' not allowed/],
  ['a misspelled setting of OpenTelemetry', { settings: { OTEL_SERVICE: 'a' } }, /'OTEL_SERVICE' not allowed/],
  ['a setting of another program', { settings: { PROBE_USER: 'a' } }, /'PROBE_USER' not allowed/],
  ['a misspelled setting from a Secret', { settingsFrom: { PROXY_CLIENT: SECRET } }, /'PROXY_CLIENT' not allowed/],
  ['a misspelled setting of the probe', { probe: { settings: { PROBE_USR: 'a' } } }, /'PROBE_USR' not allowed/],
  ['a setting among other variables', { extraEnv: [{ name: 'PROXY_LISTEN', value: 'a' }] }, /\/extraEnv\/0\/name/],
  ['a misspelled value', { replicas: 3 }, /'replicas' not allowed/],
  ['a misspelled value in a group', { service: { port: 587 } }, /'port' not allowed/],
  ['a setting that is a list', { settings: { PROXY_ALLOW: ['10.0.0.0/8'] } }, /\/settings\/PROXY_ALLOW/],
  ['a number that is a text', { replicaCount: '2' }, /\/replicaCount/],
  ['an annotation that is no text', { service: { annotations: { a: true } } }, /\/service\/annotations\/a/],
  ['a digest that is none', { image: { digest: 'sha256:1' } }, /\/image\/digest/],
  ['ports from a Secret', { settingsFrom: { PROXY_LISTEN: SECRET } }, /'PROXY_LISTEN' not allowed/],
  [
    'a listener without a fixed port',
    { settings: { PROXY_LISTEN: 'smtp://0.0.0.0:0' } },
    /PROXY_LISTEN: "smtp:\/\/0\.0\.0\.0:0": expected smtp:\/\/HOST:PORT/,
  ],
  ['a listener that is no address', { settings: { PROXY_LISTEN: '2525' } }, /PROXY_LISTEN: "2525": expected/],
  [
    'a listener that only its own pod reaches',
    { settings: { PROXY_LISTEN: 'smtp://127.0.0.1:2525' } },
    /PROXY_LISTEN: "smtp:\/\/127\.0\.0\.1:2525": expected a host that other pods reach, such as 0\.0\.0\.0/,
  ],
  [
    'two listeners with the same port',
    { settings: { PROXY_LISTEN: 'smtp://0.0.0.0:2525,smtp://[::]:2525' } },
    /PROXY_LISTEN: port 2525 is already that of another listener/,
  ],
  [
    'a listener with the port of the admin server',
    { settings: { PROXY_LISTEN: 'smtp://0.0.0.0:9464' } },
    /PROXY_LISTEN: port 9464 is already that of settings\.PROXY_ADMIN/,
  ],
  [
    'a listener with the port for the probe',
    { settings: { PROXY_LISTEN: 'smtp://0.0.0.0:2599' }, probe: { enabled: true } },
    /PROXY_LISTEN: port 2599 is already that of the listener for the probe/,
  ],
  [
    'an admin server that only its own pod reaches',
    { settings: { PROXY_ADMIN: 'http://localhost:9464' } },
    /PROXY_ADMIN: "http:\/\/localhost:9464": expected http:\/\/HOST:PORT with a host that other pods reach/,
  ],
  [
    'an upstream without a port',
    { settings: { PROXY_UPSTREAM: 'smtp://send.ahasend.com:587,smtp://other' } },
    /PROXY_UPSTREAM: "smtp:\/\/other": expected smtp:\/\/HOST:PORT/,
  ],
  [
    'TLS without a certificate',
    { settings: { PROXY_LISTEN: 'smtps://0.0.0.0:4465' } },
    /expected a certificate for this listener\. Set tls\.secretName/,
  ],
  [
    'required STARTTLS without a certificate',
    { settings: { PROXY_LISTEN: 'smtp://0.0.0.0:2525?starttls=required' } },
    /expected a certificate for this listener/,
  ],
  [
    'a certificate twice',
    { tls: { secretName: 'a' }, settings: { PROXY_TLS_CERT_FILE: '/a' } },
    /PROXY_TLS_CERT_FILE: expected no value, because tls\.secretName is set/,
  ],
  [
    'a duration without a unit',
    { settings: { PROXY_DRAIN_TIMEOUT: 30 } },
    /PROXY_DRAIN_TIMEOUT: "30": expected a duration/,
  ],
  [
    'a grace period that is too short for the drain',
    { settings: { PROXY_DRAIN_TIMEOUT: '2m', PROXY_STOP_GRACE: '60s' } },
    /PROXY_STOP_GRACE: "60s": expected at least 125s/,
  ],
  ['no admin server', { settings: { PROXY_ADMIN: 'off' } }, /PROXY_ADMIN: "off": expected http:\/\/HOST:PORT/],
  [
    'a setting twice',
    { settings: { OTEL_SERVICE_NAME: 'a' }, settingsFrom: { OTEL_SERVICE_NAME: SECRET } },
    /settingsFrom\.OTEL_SERVICE_NAME: settings\.OTEL_SERVICE_NAME is also set/,
  ],
  [
    'a setting of the probe twice',
    { probe: { settings: { PROBE_USER: 'a' }, settingsFrom: { PROBE_USER: SECRET } } },
    /probe\.settingsFrom\.PROBE_USER: probe\.settings\.PROBE_USER is also set/,
  ],
  [
    'a port of the Service without a listener',
    { service: { ports: { 25: 587 } } },
    /service\.ports: "25": expected the port of a listener in settings\.PROXY_LISTEN \(2525\)/,
  ],
  [
    'a policy for traffic from outside without such traffic',
    { service: { externalTrafficPolicy: 'Local' } },
    /service\.externalTrafficPolicy: expected no value, because service\.type is ClusterIP/,
  ],
  [
    'a network policy that stops the scrapes',
    { networkPolicy: { enabled: true }, monitor: { enabled: true } },
    /networkPolicy\.monitoring: is empty: expected the pods that may scrape/,
  ],
  [
    'a range of replicas that is empty',
    { autoscaling: { enabled: true, minReplicas: 9 } },
    /autoscaling\.minReplicas: 9: expected at most autoscaling\.maxReplicas, which is 6/,
  ],
]

describe('Helm refuses', needsHelm, () => {
  for (const [what, values, message] of MISTAKES) {
    test(what, async () => assert.match(await refusal(values), message))
  }

  test('a Kubernetes whose hooks cannot sleep', async () => {
    const { code, stderr } = await helm(['template', 'mail', CHART, '--kube-version', '1.29.0'])
    assert.notEqual(code, 0)
    assert.match(stderr, /chart requires kubeVersion: >=1\.30\.0-0/)
  })

  test('several mistakes together', async () => {
    const message = await refusal({ settings: { PROXY_LISTEN: '2525', PROXY_ADMIN: 'off' } })
    assert.match(message, /PROXY_LISTEN/)
    assert.match(message, /PROXY_ADMIN/)
  })
})
