/** The profile `ha` of compose.yaml, as Compose reads it: HAProxy, and the proxies that only HAProxy reaches. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import ipaddr from 'ipaddr.js'
import { shippedConfiguration } from '../replicas/haproxy.ts'
import { BUILDING, given, type Project, readProject } from '../support/containers/compose.ts'
import { composeMissing } from '../support/containers/engine.ts'
import { unless } from '../support/programs/programs.ts'

const WITH_HA = { COMPOSE_PROFILES: 'ha' }

type WithSubnets = Project & {
  readonly networks: Readonly<
    Record<
      string,
      { readonly internal?: boolean; readonly ipam: { readonly config?: readonly { readonly subnet: string }[] } }
    >
  >
}

/** The services of the profile. */
function replicated(env: Readonly<Record<string, string>> = {}) {
  const project = readProject({ env: { ...WITH_HA, ...env } }) as WithSubnets
  const { haproxy, replica, ...others } = project.services
  assert.ok(haproxy && replica)
  return { haproxy, replica, others, networks: project.networks }
}

describe('The profile `ha` of compose.yaml', unless(composeMissing()), () => {
  test('changes no other service, and nothing of it exists without the profile', () => {
    const without = readProject({ env: { COMPOSE_PROFILES: '' } }) as WithSubnets
    const withoutNames = (all: object) =>
      JSON.stringify(all, (key, value) => (['COMPOSE_PROFILES', 'SETTINGS_FILE'].includes(key) ? '' : value))
    assert.equal(withoutNames(replicated().others), withoutNames(without.services))
    assert.deepEqual(Object.keys(without.networks).sort(), ['default', 'observability'])
  })

  test('runs the image of the proxy, which only the service proxy builds', () => {
    for (const files of [undefined, BUILDING]) {
      const { proxy, replica } = readProject({ env: WITH_HA, ...(files && { files }) }).services
      assert.ok(proxy && replica)
      assert.equal(replica.image, proxy.image)
      assert.deepEqual([replica.build, replica.pull_policy], [undefined, files && 'never'])
    }
  })

  test('gives replicas the settings of the proxy, and HAProxy as the one that names clients', () => {
    const env = { PROXY_CLIENTS: 'billing=10.1.0.0/16', PROXY_TRUST_PROXY_PROTOCOL: '192.0.2.0/24' }
    const { replica, others } = replicated(env)
    const own = { PROXY_ADMIN: 'http://0.0.0.0:9464', PROXY_TRUST_PROXY_PROTOCOL: '10.215.87.0/28' }
    assert.deepEqual(given(replica), { ...given(others.proxy), ...own })
    assert.equal(replica.stop_grace_period, others.proxy?.stop_grace_period)
  })

  test('gives the connections of a HAProxy that stops as much time as the drain of a proxy has', () => {
    for (const env of [{}, { PROXY_DRAIN_TIMEOUT: '10m', PROXY_STOP_GRACE: '11m' }]) {
      const { haproxy, replica } = replicated(env)
      assert.equal(haproxy.stop_grace_period, replica.stop_grace_period)
    }
    assert.doesNotMatch(shippedConfiguration(), /hard-stop-after/)
  })

  test('keeps replicas from apps: HAProxy alone is in the network of apps, and publishes SMTP on this machine', () => {
    const { haproxy, replica, others } = replicated()
    const namesOf = ({ networks = {} }: typeof replica) => Object.keys(networks).sort()
    assert.deepEqual(namesOf(replica), ['balanced', 'observability'])
    assert.deepEqual(namesOf(haproxy), ['balanced', 'default'])
    for (const [name, { networks = {} }] of Object.entries(others)) assert.ok(!('balanced' in networks), name)
    assert.equal(replica.ports, undefined)
    assert.deepEqual(
      haproxy.ports?.map(({ host_ip, published, target }) => `${host_ip}:${published}:${target}`),
      ['127.0.0.1:2527:2525'],
    )
  })

  test('trusts the network of HAProxy, which has an address for each replica of the configuration', () => {
    const { replica, networks } = replicated({ HAPROXY_SUBNET: '10.9.8.0/27' })
    assert.equal(given(replica).PROXY_TRUST_PROXY_PROTOCOL, '10.9.8.0/27')
    assert.equal(networks.balanced?.ipam.config?.[0]?.subnet, '10.9.8.0/27')
    assert.equal(networks.balanced?.internal, true)
    const [, bits] = ipaddr.parseCIDR(replicated().networks.balanced?.ipam.config?.[0]?.subnet ?? '')
    const most = Number(/server-template replica- (\d+) /.exec(shippedConfiguration())?.[1])
    // without the addresses of the network itself, of broadcasts, of the gateway and of HAProxy
    assert.equal(2 ** (32 - bits) - 4, most)
  })

  test('lets HAProxy try another replica, and keep the connections of one that drains', () => {
    const configuration = shippedConfiguration().replaceAll(/#.*/g, '')
    assert.match(configuration, /^ *option redispatch 1$/m)
    assert.match(configuration, /^ *option httpchk GET \/readyz$/m)
    assert.doesNotMatch(configuration, /on-marked-down/)
  })

  test('gives HAProxy no writable disk and no capability, a version, limits and a health check without a shell', () => {
    const { haproxy } = replicated()
    assert.equal(haproxy.read_only, true)
    assert.deepEqual([haproxy.cap_drop, haproxy.security_opt], [['ALL'], ['no-new-privileges:true']])
    assert.match(haproxy.image, /:[0-9]+\.[0-9]+\.[0-9]+-alpine$/)
    assert.match(haproxy.user ?? '', /^[1-9]/)
    // the most threads of HAProxy, and the health check
    assert.ok(Number(haproxy.mem_limit) > 0 && (haproxy.pids_limit ?? 0) > 1024 + 8)
    assert.equal(haproxy.healthcheck?.test[0], 'CMD')
  })
})
