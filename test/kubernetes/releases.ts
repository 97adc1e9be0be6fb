/**
 * `npm run test:kubernetes`: Helm installs the chart in a real API server, which checks every object as in a cluster. Pods
 * follow the Pod Security Standard `restricted`. Nothing runs there: no pod starts.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { type Outcome, run } from '../clients/command.ts'
import { CHART, NAME, rendered, type Values } from '../support/charts/helm.ts'
import { EVERYTHING, MATRIX } from '../support/charts/matrix.ts'
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { ApiServer } from '../support/kubernetes/api-server.ts'
import { directoryOfSchemas, fileOf } from '../support/programs/programs.ts'
import { until } from '../support/waiting/until.ts'

const DEFINED = ['podmonitors', 'servicemonitors', 'prometheusrules']

let server: ApiServer

before(async () => {
  server = await ApiServer.start()
  for (const name of ['apps', 'monitoring', 'grafana']) await create('/api/v1/namespaces', namespace(name))
  for (const plural of DEFINED) {
    const path = join(directoryOfSchemas(), `monitoring.coreos.com_${plural}.yaml`)
    const definition = parse(readFileSync(path, 'utf8')) as object
    await create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)
    await served(plural)
  }
})

after(async () => server?.[Symbol.asyncDispose]())

function namespace(name: string): object {
  const labels = {
    'pod-security.kubernetes.io/enforce': 'restricted',
    'pod-security.kubernetes.io/warn': 'restricted',
  }
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
}

async function create(path: string, object: object): Promise<void> {
  const { status, body } = await server.call('POST', path, object)
  assert.equal(status, 201, JSON.stringify(body))
}

/** Resolves when the server serves a kind that was defined a moment ago. */
async function served(plural: string): Promise<void> {
  const path = `/apis/monitoring.coreos.com/v1/namespaces/apps/${plural}`
  await until(`${plural} are served`, async () => (await server.call('GET', path)).status === 200, { everyMs: 50 })
}

/** Runs Helm on the server. Fails with what Helm says. */
async function helm(args: readonly string[], values?: Values): Promise<Outcome> {
  const files = writeTemporaryFiles({ 'values.yaml': JSON.stringify(values ?? {}) })
  try {
    const all = [...args, '--namespace', 'apps', ...(values ? ['--values', files.paths['values.yaml']] : [])]
    const env = { HOME: files.directory, KUBECONFIG: server.kubeconfig }
    const outcome = await run({ file: fileOf('helm'), args: all, env }, 60_000)
    assert.equal(outcome.code, 0, outcome.stderr)
    return outcome
  } finally {
    files.remove()
  }
}

/** Installs a release, and removes it after `use`. */
async function installed(values: Values, use: (output: Outcome) => Promise<void>): Promise<void> {
  try {
    await use(await helm(['install', 'mail', CHART], values))
  } finally {
    await helm(['uninstall', 'mail', '--ignore-not-found'])
  }
}

const DEPLOYMENT = `/apis/apps/v1/namespaces/apps/deployments/${NAME}`

describe('The API server accepts', () => {
  for (const [what, values] of Object.entries(MATRIX)) {
    test(`a release with ${what}`, () =>
      installed(values, async ({ stderr }) => {
        assert.equal(stderr, '')
        assert.equal((await server.call('GET', DEPLOYMENT)).status, 200)
      }))
  }

  test('the pods, which satisfy the standard "restricted"', () =>
    installed(EVERYTHING, async () => {
      for (const name of [NAME, `${NAME}-probe`]) {
        const { metadata, spec } = (await rendered(EVERYTHING)).one('Deployment', name).spec.template
        const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name, namespace: 'apps' }, spec }
        const path = '/api/v1/namespaces/apps/pods?dryRun=All&fieldValidation=Strict'
        const { status, body, warnings } = await server.call('POST', path, pod)
        assert.equal(status, 201, JSON.stringify(body))
        assert.equal(warnings, '')
      }
    }))
})

test('the API server refuses a pod with more privileges', () =>
  installed({}, async () => {
    const { metadata, spec } = (await rendered()).one('Deployment').spec.template
    const containers = [{ ...spec.containers[0], securityContext: { allowPrivilegeEscalation: true } }]
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: NAME }, spec: { ...spec, containers } }
    const { status, body } = await server.call('POST', '/api/v1/namespaces/apps/pods?dryRun=All', pod)
    assert.equal(status, 403)
    assert.match(body.message, /violates PodSecurity "restricted:latest"/)
  }))

test('an upgrade and a rollback change what they should, and nothing stays after the end', async () => {
  await installed({}, async () => {
    await helm(['upgrade', 'mail', CHART], { ...EVERYTHING, autoscaling: { enabled: false } })
    assert.equal((await server.call('GET', DEPLOYMENT)).body.spec.replicas, 3)
    await helm(['rollback', 'mail', '1'])
    const { spec } = (await server.call('GET', DEPLOYMENT)).body
    assert.equal(spec.replicas, 2)
    assert.equal(spec.template.spec.terminationGracePeriodSeconds, 65)
  })
  assert.equal((await server.call('GET', DEPLOYMENT)).status, 404)
})

test('the number of pods stays if it was changed before automatic scaling is enabled, as the page says', () =>
  installed({ replicaCount: 4 }, async () => {
    const metadata = { name: NAME, namespace: 'apps' }
    const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata, spec: { replicas: 5 } }
    assert.equal((await server.call('PUT', `${DEPLOYMENT}/scale`, scale)).status, 200)
    await helm(['upgrade', 'mail', CHART], { autoscaling: { enabled: true } })
    assert.equal((await server.call('GET', DEPLOYMENT)).body.spec.replicas, 5)
  }))

test('a release fits into the Secret in which Helm keeps it', () =>
  installed(EVERYTHING, async () => {
    const { body } = await server.call('GET', '/api/v1/namespaces/apps/secrets/sh.helm.release.v1.mail.v1')
    const kibibytes = Buffer.from(body.data.release, 'base64').length / 1024
    assert.ok(kibibytes < 512, `${kibibytes} KiB of 1024`)
  }))

test('a setting with a misspelled name stops an upgrade before anything changes', () =>
  installed({}, async () => {
    const values = { settings: { PROXY_LISTN: 'smtp://0.0.0.0:25' } }
    await assert.rejects(helm(['upgrade', 'mail', CHART], values), /PROXY_LISTN/)
    const { stdout } = await helm(['history', 'mail', '--output', 'json'])
    assert.equal((JSON.parse(stdout) as unknown[]).length, 1)
  }))
