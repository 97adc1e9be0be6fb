/** The image as the Helm chart starts it: with the user, the settings, the certificate and the limits of its pod. */
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type StartedTestContainer, Wait } from 'testcontainers'
import { rendered } from '../support/charts/helm.ts'
import { dockerOutput, engineMissing, IMAGES, imageMissing } from '../support/containers/engine.ts'
import { buildProduct, Confined, inspect } from '../support/containers/images.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import { missing, unless } from '../support/programs/programs.ts'
import { makeAuthority } from '../support/tls/certificates.ts'

const IMAGE = 'ahasend-smtp-proxy:test'

/** What Kubernetes writes in place of `$(NAME)`. */
const POD: Readonly<Record<string, string>> = {
  K8S_POD_NAME: 'mail-1',
  K8S_NAMESPACE_NAME: 'apps',
  K8S_NODE_NAME: 'node-1',
}

const options = unless(engineMissing(), imageMissing(IMAGES.NODE_IMAGE), missing('helm'))

describe('A pod of the chart', options, () => {
  const certificates = temporaryDirectory('certificates-')
  let container: StartedTestContainer
  let grace = 0
  let ready = ''

  before(async () => {
    await buildProduct(IMAGE)
    const { certPem, keyPem } = await (await makeAuthority()).issue()
    // the container has another user
    chmodSync(certificates.path, 0o755)
    for (const [name, pem] of [
      ['tls.crt', certPem],
      ['tls.key', keyPem],
    ] as const)
      writeFileSync(join(certificates.path, name), pem, { mode: 0o444 })
    const release = await rendered({
      tls: { secretName: 'smtp-tls' },
      settings: { PROXY_LISTEN: 'smtp://0.0.0.0:2525?starttls=required,smtps://0.0.0.0:4465' },
    })
    const pod = release.pod()
    const environment = Object.entries(release.settings()).map(([name, value]) => [
      name,
      value.replace(/\$\((\w+)\)/g, (_, variable: string) => POD[variable] ?? ''),
    ])
    grace = pod.terminationGracePeriodSeconds
    ready = release.container().readinessProbe.httpGet.path
    container = await new Confined(IMAGE)
      .withUser(`${pod.securityContext.runAsUser}:${pod.securityContext.runAsGroup}`)
      .withEnvironment(Object.fromEntries(environment))
      .withBindMounts([{ source: certificates.path, target: '/certificates', mode: 'ro' }])
      .withExposedPorts(2525, 4465, 9464)
      .withWaitStrategy(Wait.forHttp(ready, 9464))
      .start()
  })

  after(async () => {
    await container?.stop({ remove: true })
    certificates.remove()
  })

  test('is alive, ready, and names itself', async () => {
    const url = (path: string) => `http://${container.getHost()}:${container.getMappedPort(9464)}${path}`
    for (const path of ['/livez', ready]) assert.equal((await fetch(url(path))).status, 200, path)
    const page = await (await fetch(url('/metrics'))).text()
    assert.match(page, /target_info\{.*k8s_pod_name="mail-1".*service_instance_id="mail-1"/)
  })

  test('listens at every port that its Service leads to', () => {
    const lines = dockerOutput(['logs', container.getId()])
    assert.match(lines, /"listener":"smtp:\/\/0\.0\.0\.0:2525\?starttls=required".*"listening"/)
    assert.match(lines, /"listener":"smtps:\/\/0\.0\.0\.0:4465".*"listening"/)
  })

  test('stops by itself within the grace period', () => {
    dockerOutput(['stop', '--time', String(grace), container.getId()], { ms: (grace + 10) * 1000 })
    const { State } = inspect<{ readonly State: { readonly ExitCode: number } }>(container.getId())
    assert.equal(State.ExitCode, 0)
  })
})
