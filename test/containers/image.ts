/** The product's image: its contents, how it runs in a confined container, and how it stops. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { StartedTestContainer } from 'testcontainers'
import { build } from '../../bundle/build.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { ask, mail } from '../simulator/client.ts'
import { docker, dockerOutput, engineMissing, IMAGES, imageMissing, ROOT } from '../support/containers/engine.ts'
import { filesOf, hashInImage, layersOf } from '../support/containers/image-files.ts'
import {
  buildProduct,
  buildRehearsal,
  handlesSignals,
  inspect,
  MONITORING,
  PLANTED,
  type RehearsalContainer,
  startProduct,
  startRehearsal,
} from '../support/containers/images.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import { inBody, loggedIn } from '../support/processes/running-proxy.ts'
import { unless } from '../support/programs/programs.ts'
import type { Peer } from '../support/sockets/scripted-peers.ts'
import { until } from '../support/waiting/until.ts'

const IMAGE = 'ahasend-smtp-proxy:test'
const REHEARSAL = 'ahasend-smtp-proxy-rehearsal:test'
/** Half the size of a usual Node image, with room for a newer Node. */
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

interface ContainerDescription {
  readonly State: { readonly Status: string; readonly ExitCode: number; readonly Health: { readonly Status: string } }
}

describe('The image', unless(engineMissing(), imageMissing(IMAGES.NODE_IMAGE)), () => {
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

  test('starts Node without a shell, as a user other than root, and checks its health with Node', () => {
    const { User, Entrypoint, Cmd, Healthcheck } = image.Config
    assert.equal(User, '1000:1000')
    assert.deepEqual(Entrypoint, ['/usr/local/bin/node', '--disable-sigusr1', 'proxy.cjs'])
    assert.equal(Cmd, null)
    assert.deepEqual(Healthcheck.Test, ['CMD', '/usr/local/bin/node', 'health.cjs'])
  })

  test('listens on all addresses of its container, on the exposed ports', () => {
    assert.ok(image.Config.Env.includes('PROXY_LISTEN=smtp://0.0.0.0:2525'))
    assert.ok(image.Config.Env.includes('PROXY_ADMIN=http://0.0.0.0:9464'))
    assert.deepEqual(Object.keys(image.Config.ExposedPorts), ['2525/tcp', '9464/tcp'])
  })

  test('has OCI labels with its name and source', () => {
    const label = (name: string) => image.Config.Labels[`org.opencontainers.image.${name}`]
    assert.equal(label('title'), packageJson.name)
    assert.equal(label('description'), packageJson.description)
    assert.equal(label('version'), packageJson.version)
    assert.equal(label('licenses'), packageJson.license)
    assert.equal(label('revision'), 'test')
    assert.match(label('source') ?? '', /^https:\/\//)
  })

  test('contains no shell, no package manager and no program except Node (CON-05)', () => {
    const programs = filesOf(IMAGE).filter(({ mode }) => /^-.*x/.test(mode))
    const names = programs.map(({ path }) => path).filter((path) => !/\.so(\.[0-9]+)*$/.test(path))
    assert.deepEqual(names, ['usr/local/bin/node'])
  })

  test('contains the build, the configuration of the monitoring and the license, and no package, source or test (CON-06)', async () => {
    using directory = temporaryDirectory('build-')
    const built = await build('image', directory.path)
    const files = filesOf(IMAGE).flatMap(({ mode, path }) =>
      mode.startsWith('-') && path.startsWith('app/') ? [path.slice('app/'.length)] : [],
    )
    const expected = [...built.map(({ name }) => name), ...MONITORING.keys(), 'LICENSE']
    assert.deepEqual(files.sort(), expected.sort())
    assert.deepEqual(
      filesOf(IMAGE).filter(({ path }) => /(^|\/)(node_modules|package\.json)(\/|$)/.test(path)),
      [],
    )
  })

  test('contains the same bytes as a build on this machine, with the license of each package in the bundle', async () => {
    using directory = temporaryDirectory('build-')
    for (const { name, bytes } of await build('image', directory.path))
      assert.equal(hashInImage(IMAGE, name), hashOf(bytes), name)
  })

  test('contains the configuration of the monitoring from these sources', () => {
    assert.ok(MONITORING.size > 6)
    for (const [name, source] of MONITORING)
      assert.equal(hashInImage(IMAGE, name), hashOf(readFileSync(join(ROOT, source))), name)
  })

  test('has files of root only, so that the proxy cannot change them', () => {
    const others = filesOf(IMAGE).filter(({ path, owner }) => path.startsWith('app/') && owner !== '0/0')
    assert.deepEqual(others, [])
  })

  test('has in no layer a secret from the build directory (CON-05)', () => {
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

  test('accepts the arguments of the proxy', () => {
    const confined = ['run', '--rm', '--read-only', '--cap-drop=ALL', '--network=none', IMAGE]
    assert.equal(dockerOutput([...confined, '--version']), `${packageJson.version}\n`)
    assert.match(dockerOutput([...confined, '--help']), /PROXY_UPSTREAM/)
  })

  for (const ms of [0, 150]) {
    test(`exits with 0 when it is stopped ${ms} ms after it handles signals, long before the engine kills it`, async () => {
      const id = dockerOutput(['run', '--detach', '--network=none', '--read-only', '--cap-drop=ALL', IMAGE]).trim()
      try {
        const logs = () => `the process handles signals: ${JSON.stringify(docker(['logs', id]))}`
        await until(logs, () => handlesSignals(id), { limitMs: 60_000, everyMs: 10 })
        await setTimeout(ms)
        const began = performance.now()
        dockerOutput(['stop', '--time=20', id])
        assert.ok(performance.now() - began < 10_000, 'exits before it is killed')
        assert.equal(inspect<ContainerDescription>(id).State.ExitCode, 0)
      } finally {
        docker(['rm', '--force', id])
      }
    })
  }

  test('reports a mistake in its settings and exits', () => {
    const { ok, stderr } = docker(['run', '--rm', '--network=none', '--env=PROXY_UPSTREAM=nonsense', IMAGE])
    assert.equal(ok, false)
    assert.match(stderr, /PROXY_UPSTREAM/)
  })

  describe('without root, capabilities and a writable disk (CON-01)', () => {
    let rehearsal: RehearsalContainer
    let proxy: StartedTestContainer

    before(async () => {
      await buildRehearsal(REHEARSAL)
      rehearsal = await startRehearsal(REHEARSAL)
      proxy = await startProduct(IMAGE, rehearsal)
    })
    after(async () => {
      await proxy?.stop()
      await rehearsal?.stop()
    })

    test('becomes healthy', () => {
      assert.equal(inspect<ContainerDescription>(proxy.getId()).State.Health.Status, 'healthy')
    })

    test('starts without a warning in its log', async () => {
      assert.deepEqual(warnings(proxy.getId()), [])
    })

    test('starts without a warning in its log with a limit of 20,000 open files', async () => {
      const limited = await startProduct(IMAGE, rehearsal, { openFiles: 20_000 })
      try {
        assert.deepEqual(warnings(limited.getId()), [])
      } finally {
        await limited.stop()
      }
    })

    test('runs as user 1000 without capabilities, on a read-only root file system', async () => {
      const status = await node(proxy, 'fs.readFileSync("/proc/1/status", "utf8")')
      assert.match(status, /^Uid:\t1000\t1000\t1000\t1000$/m)
      assert.match(status, /^CapEff:\t0+$/m)
      assert.match(status, /^NoNewPrivs:\t1$/m)
      const write = 'try { fs.writeFileSync("/app/x", "") } catch ({ code }) { code }'
      assert.equal(await node(proxy, write), 'EROFS')
    })

    test('is process 1, so that it receives signals (CON-02)', async () => {
      const command = await node(proxy, 'fs.readFileSync("/proc/1/cmdline", "utf8").split("\\0").join(" ")')
      assert.equal(command.trim(), '/usr/local/bin/node --disable-sigusr1 proxy.cjs')
    })

    test('opens no debugger on SIGUSR1 (CON-04)', async () => {
      dockerOutput(['kill', '--signal=USR1', proxy.getId()])
      assert.equal(
        await node(proxy, 'fetch("http://127.0.0.1:9464/livez").then(({ status }) => console.log(status)), ""'),
        '200',
      )
      assert.doesNotMatch(dockerOutput(['logs', proxy.getId()]), /Debugger listening/)
    })

    test('relays mail', async () => {
      const before = await rehearsal.ledger()
      const client = await clientOf(proxy)
      for (const line of mail().slice(0, -1)) assert.match(await ask(client, line), /^(250|354) /)
      assert.match(await ask(client, 'Subject: in a container\r\n\r\nText.\r\n.'), /^250 /)
      await ask(client, 'QUIT')
      await client.end()
      assert.equal((await rehearsal.ledger()).messages.accepted, before.messages.accepted + 1)
    })

    test('relays a message in flight once when it is stopped, and exits with 0 within the grace period', async () => {
      const before = await rehearsal.ledger()
      const [sending, idle] = [await clientOf(proxy), await clientOf(proxy)]
      await inBody(sending, 'in-flight')
      const logged = logLine(proxy, '"drain"')
      const stopped = once(spawn('docker', ['stop', '--time=45', proxy.getId()], { stdio: 'ignore' }), 'exit')
      await logged
      assert.match(await idle.readReply(), /^421 /)
      assert.match(await ask(sending, 'the other half\r\n.'), /^250 /)
      await Promise.all([sending.end(), idle.end()])
      const [code] = await stopped
      assert.equal(code, 0)
      const { State } = inspect<ContainerDescription>(proxy.getId())
      assert.deepEqual([State.Status, State.ExitCode], ['exited', 0])
      const { messages } = await rehearsal.ledger()
      assert.deepEqual(
        [messages.received, messages.accepted],
        [before.messages.received + 1, before.messages.accepted + 1],
      )
    })
  })
})

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The log lines above level info. Fails when the proxy has not logged that it listens. */
function warnings(id: string): string[] {
  const { stdout, stderr } = docker(['logs', id])
  const lines = `${stdout}${stderr}`.trim().split('\n')
  assert.match(stdout, /"msg":"listening"/)
  return lines.filter((line) => !line.startsWith('{"level":"info",'))
}

/** The result of an expression in the container's Node, as text. */
async function node(container: StartedTestContainer, expression: string): Promise<string> {
  const { output, exitCode } = await container.exec(['/usr/local/bin/node', '--print', expression])
  assert.equal(exitCode, 0, output)
  return output.trimEnd()
}

/** A client that is ready to send a message through the container. */
async function clientOf(container: StartedTestContainer): Promise<Peer> {
  const [client] = await loggedIn({ port: container.getMappedPort(2525) }, 1)
  assert.ok(client)
  return client
}

/** Resolves when the container's log has a line with this text. */
async function logLine(container: StartedTestContainer, text: string): Promise<void> {
  const stream = await container.logs()
  for await (const chunk of stream) if (String(chunk).includes(text)) return stream.destroy() && undefined
}
