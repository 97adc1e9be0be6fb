/** The product's image: what is in it. How it runs: see image-running.ts. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import packageJson from '../../package.json' with { type: 'json' }
import { docker, dockerOutput, engineMissing, IMAGES, imageMissing, ROOT } from '../support/containers/engine.ts'
import { filesOf, layersOf } from '../support/containers/image-files.ts'
import { buildProduct, inspect, PLANTED } from '../support/containers/images.ts'
import { unless } from '../support/programs/programs.ts'

const IMAGE = 'ahasend-smtp-proxy:test'
/** Half the size of a usual Node image, with a margin for a newer Node. */
const MOST_MEGABYTES = 200

interface ImageDescription {
  readonly Size: number
  readonly Config: {
    readonly User: string
    readonly Env: readonly string[]
    readonly Entrypoint: readonly string[]
    readonly Cmd: readonly string[] | null
    readonly Labels: Readonly<Record<string, string>>
    readonly Healthcheck: { readonly Test: readonly string[] }
    readonly ExposedPorts: Readonly<Record<string, unknown>>
  }
}

describe('the image', unless(engineMissing(), imageMissing(IMAGES.NODE_IMAGE)), () => {
  let image: ImageDescription

  before(async () => {
    await buildProduct(IMAGE)
    image = inspect<ImageDescription>(IMAGE)
  })

  test('is small', (t) => {
    const megabytes = image.Size / 1e6
    t.diagnostic(`${megabytes.toFixed(0)} MB`)
    assert.ok(megabytes < MOST_MEGABYTES, `${megabytes} MB`)
  })

  test('starts Node without a shell, as a user who is not root, and checks its health with Node', () => {
    const { User, Entrypoint, Cmd, Healthcheck } = image.Config
    assert.equal(User, '1000:1000')
    assert.deepEqual(Entrypoint, ['/usr/local/bin/node', '--disable-sigusr1', 'app/entry.js'])
    assert.equal(Cmd, null)
    assert.deepEqual(Healthcheck.Test, ['CMD', '/usr/local/bin/node', 'app/health.ts'])
  })

  test('listens on all addresses of its container, on the ports that it exposes', () => {
    assert.ok(image.Config.Env.includes('PROXY_LISTEN=smtp://0.0.0.0:2525'))
    assert.ok(image.Config.Env.includes('PROXY_ADMIN=http://0.0.0.0:9464'))
    assert.deepEqual(Object.keys(image.Config.ExposedPorts), ['2525/tcp', '9464/tcp'])
  })

  test('has OCI labels: what it is and what it was built from', () => {
    const label = (name: string) => image.Config.Labels[`org.opencontainers.image.${name}`]
    assert.equal(label('title'), packageJson.name)
    assert.equal(label('description'), packageJson.description)
    assert.equal(label('version'), packageJson.version)
    assert.equal(label('licenses'), packageJson.license)
    assert.equal(label('revision'), 'test')
    assert.match(label('source') ?? '', /^https:\/\//)
  })

  test('holds no shell, no package manager and no other program than Node (CON-05)', () => {
    const programs = filesOf(IMAGE).filter(
      ({ mode, path }) => /^-.*x/.test(mode) && !path.startsWith('app/node_modules/'),
    )
    const names = programs.map(({ path }) => path).filter((path) => !/\.so(\.[0-9]+)*$/.test(path))
    assert.deepEqual(names, ['usr/local/bin/node'])
  })

  test('holds the production dependencies and no other package (CON-06)', () => {
    const packages = filesOf(IMAGE).flatMap(
      ({ path }) => /^app\/(node_modules\/.+)\/package\.json$/.exec(path)?.[1] ?? [],
    )
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock
    const wanted = Object.entries(lock.packages).flatMap(([path, { dev, devOptional }]) =>
      path && !dev && !devOptional ? [path] : [],
    )
    assert.deepEqual(
      wanted.filter((path) => !packages.includes(path)),
      [],
    )
    const strangers = packages.filter((path) => !wanted.some((name) => path === name || path.startsWith(`${name}/`)))
    assert.deepEqual(strangers, [])
  })

  test('holds the parts of the project that run, and no test', () => {
    const top = filesOf(IMAGE).flatMap(({ path }) => /^app\/([^/]+)/.exec(path)?.[1] ?? [])
    assert.deepEqual([...new Set(top)].sort(), [
      'LICENSE',
      'app',
      'node_modules',
      'otel',
      'package.json',
      'proxy',
      'settings',
    ])
  })

  test('belongs to root: the proxy can change none of its files', () => {
    const others = filesOf(IMAGE).filter(({ path, owner }) => path.startsWith('app/') && owner !== '0/0')
    assert.deepEqual(others, [])
  })

  test('has no secret that lay beside the project at build time in any layer (CON-05)', () => {
    const layers = layersOf(IMAGE)
    assert.ok(
      layers.some((layer) => layer.includes('ahasend-smtp-proxy')),
      'the layers can be searched',
    )
    assert.equal(
      layers.some((layer) => layer.includes(PLANTED)),
      false,
    )
    assert.doesNotMatch(dockerOutput(['history', '--no-trunc', IMAGE]), new RegExp(PLANTED))
  })

  test('takes the arguments of the proxy', () => {
    const confined = ['run', '--rm', '--read-only', '--cap-drop=ALL', '--network=none', IMAGE]
    assert.equal(dockerOutput([...confined, '--version']), `${packageJson.version}\n`)
    assert.match(dockerOutput([...confined, '--help']), /PROXY_UPSTREAM/)
  })

  test('reports a mistake in its settings and exits', () => {
    const { ok, stderr } = docker(['run', '--rm', '--network=none', '--env=PROXY_UPSTREAM=nonsense', IMAGE])
    assert.equal(ok, false)
    assert.match(stderr, /PROXY_UPSTREAM/)
  })
})

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>
}
