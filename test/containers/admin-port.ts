/**
 * The admin port in compose.yaml: apps in the network `default` do not reach it, and Prometheus in `observability` does, also
 * with several proxies. It is published on this machine only.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { BUILDING, fileArguments, plainEnvironment } from '../support/containers/compose.ts'
import {
  composeMissing,
  docker,
  dockerOutput,
  engineMissing,
  IMAGES,
  imageMissing,
} from '../support/containers/engine.ts'
import { composeNowhere, eventually, NOWHERE, SETTINGS } from '../support/containers/stack.ts'
import { unless } from '../support/programs/programs.ts'

const PROJECT = `ahasend-admin-port-${process.pid}`
const NODE = '/usr/local/bin/node'
const NETWORKS = { default: `${PROJECT}_default`, observability: `${PROJECT}-observability` }

function compose(...args: readonly string[]): string {
  return composeNowhere(PROJECT, args)
}

/** The output of a script, in a new container in this network of the project. */
function runIn(network: 'default' | 'observability', script: string): string {
  const at = ['--network', NETWORKS[network]]
  return dockerOutput(['run', '--rm', ...at, '--entrypoint', NODE, SETTINGS.PROXY_IMAGE, '--eval', script]).trim()
}

/** Prints what each of these hosts answers at the admin port: the body, or the error code. */
function askedFor(hosts: readonly string[]): string {
  return `Promise.all(${JSON.stringify(hosts)}.map((host) => fetch('http://' + host + ':9464/readyz', { signal:
    AbortSignal.timeout(3000) }).then((response) => response.text(), ({ name, cause }) => cause?.code ?? name)))
    .then((answers) => console.log(JSON.stringify(answers)))`
}

/** Prints all addresses of a name, as JSON. */
function addressesOf(name: string): string {
  return `require('node:dns').lookup('${name}', { all: true }, (error, all = []) =>
    console.log(JSON.stringify(all.map(({ address }) => address))))`
}

interface Networks {
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> }
}

describe(
  'The admin port of two proxies',
  unless(engineMissing(), composeMissing(), imageMissing(IMAGES.NODE_IMAGE)),
  () => {
    let proxies: readonly string[] = []
    before(async () => {
      compose('build', 'proxy')
      compose('up', '--detach', '--wait', '--scale', 'proxy=2', 'proxy')
      proxies = compose('ps', '--quiet', 'proxy').trim().split('\n')
    })
    after(() => void compose('down', '--volumes'))

    const ownAddress = (id: string, network: keyof typeof NETWORKS) => {
      const [{ NetworkSettings } = assert.fail(id)] = JSON.parse(dockerOutput(['inspect', id])) as Networks[]
      return NetworkSettings.Networks[NETWORKS[network]]?.IPAddress ?? ''
    }

    test('is closed for apps, by every name and address that an app can resolve', () => {
      const names = ['proxy', `${PROJECT}-proxy-1`, `${PROJECT}-proxy-2`]
      const addresses = names.flatMap((name) => JSON.parse(runIn('default', addressesOf(name))) as string[])
      assert.deepEqual(new Set(addresses), new Set(proxies.map((id) => ownAddress(id, 'default'))))
      const hosts = [...names, ...new Set(addresses)]
      const answers = JSON.parse(runIn('default', askedFor(hosts))) as string[]
      assert.deepEqual(new Set(answers), new Set(['ECONNREFUSED']), `${hosts}: ${answers}`)
    })

    test('is closed for apps that know the name or the addresses of the other network', () => {
      assert.equal(runIn('default', addressesOf('proxy-admin')), '[]')
      const answers = JSON.parse(runIn('default', askedFor(proxies.map((id) => ownAddress(id, 'observability')))))
      assert.deepEqual(answers, ['TimeoutError', 'TimeoutError'])
    })

    test('answers in the network of Prometheus, at each proxy', () => {
      const addresses = JSON.parse(runIn('observability', addressesOf('proxy-admin'))) as string[]
      assert.deepEqual(new Set(addresses), new Set(proxies.map((id) => ownAddress(id, 'observability'))))
      const hosts = ['proxy', 'proxy-admin', ...addresses]
      const answers = JSON.parse(runIn('observability', askedFor(hosts)))
      assert.deepEqual(new Set(answers), new Set(['ready\n']), hosts.join(' '))
    })

    test('is published on this machine, with the status page of each proxy', async () => {
      for (const index of [1, 2]) {
        const published = compose('port', '--index', `${index}`, 'proxy', '9464').trim()
        assert.match(published, /^127\.0\.0\.1:[0-9]+$/)
        const response = await fetch(`http://${published}/`)
        assert.match(await response.text(), /Is mail flowing\?/)
      }
    })

    test('is found by the commands in each container', async () => {
      for (const id of proxies) {
        const { stdout } = docker(['exec', id, NODE, 'proxy.cjs', 'check', '--json'])
        assert.match(stdout, /"title":"admin server http:\/\/proxy-admin:9464"[^}]*"status":"note"[^}]*running proxy/)
      }
      const id = proxies[1] ?? ''
      docker(['exec', '--detach', id, NODE, 'proxy.cjs', 'tail'])
      await eventually('its own proxy has the connection of the tail', () => {
        const tcp = dockerOutput(['exec', id, NODE, '--print', "fs.readFileSync('/proc/net/tcp', 'utf8')"])
        // two ends of one connection with port 9464 (24F8), in the state ESTABLISHED (01)
        return (tcp.match(/:24F8 \S+ 01 |:24F8 01 /g) ?? []).length >= 2
      })
    })

    test('is not tested by check in a container of its own, and that is no failure', () => {
      const { stdout } = docker(
        [
          'compose',
          ...fileArguments(BUILDING),
          '--project-name',
          PROJECT,
          'run',
          '--rm',
          '--no-deps',
          '-T',
          'proxy',
          'check',
          '--json',
        ],
        { env: { ...plainEnvironment(), ...SETTINGS, ...NOWHERE } },
      )
      assert.match(stdout, /"title":"admin server http:\/\/proxy-admin:9464"[^}]*"status":"note"[^}]*not tested/)
    })
  },
)
