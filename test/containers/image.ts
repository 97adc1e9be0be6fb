/** The product's image: what is in it, how it runs when confined as far as an engine can, and how it stops. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { StartedTestContainer } from 'testcontainers'
import packageJson from '../../package.json' with { type: 'json' }
import { AUTH_PLAIN, ask, mail } from '../simulator/client.ts'
import { docker, dockerOutput, engineMissing, IMAGES, imageMissing, ROOT } from '../support/containers/engine.ts'
import { filesOf, layersOf } from '../support/containers/image-files.ts'
import {
  buildProduct,
  buildRehearsal,
  inspect,
  PLANTED,
  type RehearsalContainer,
  startProduct,
  startRehearsal,
} from '../support/containers/images.ts'
import { unless } from '../support/programs/programs.ts'
import { connectClient, type Peer } from '../support/sockets/scripted-peers.ts'
import { until } from '../support/waiting/until.ts'

const IMAGE = 'ahasend-smtp-proxy:test'
const REHEARSAL = 'ahasend-smtp-proxy-rehearsal:test'
/** Half of what a usual Node image weighs, and there is room for a newer Node. */
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

  test('starts Node without a shell, as a user who is not root, and asks Node for its health', () => {
    const { User, Entrypoint, Cmd, Healthcheck } = image.Config
    assert.equal(User, '1000:1000')
    assert.deepEqual(Entrypoint, ['/usr/local/bin/node', '--disable-sigusr1', 'app/entry.js'])
    assert.equal(Cmd, null)
    assert.deepEqual(Healthcheck.Test, ['CMD', '/usr/local/bin/node', 'app/health.ts'])
  })

  test('listens on all addresses of its container, on the ports that it names', () => {
    assert.ok(image.Config.Env.includes('PROXY_LISTEN=smtp://0.0.0.0:2525'))
    assert.ok(image.Config.Env.includes('PROXY_ADMIN=http://0.0.0.0:9464'))
    assert.deepEqual(Object.keys(image.Config.ExposedPorts), ['2525/tcp', '9464/tcp'])
  })

  test('says in OCI labels what it is and what it was built from', () => {
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

  test('holds of the project what runs, and no test', () => {
    const top = filesOf(IMAGE).flatMap(({ path }) => /^app\/([^/]+)/.exec(path)?.[1] ?? [])
    assert.deepEqual([...new Set(top)].sort(), [
      'LICENSE',
      'app',
      'dashboards',
      'node_modules',
      'otel',
      'package.json',
      'proxy',
      'settings',
      'status',
    ])
  })

  test('belongs to root: the proxy can change none of its files', () => {
    const others = filesOf(IMAGE).filter(({ path, owner }) => path.startsWith('app/') && owner !== '0/0')
    assert.deepEqual(others, [])
  })

  test('has no secret in any layer that lay beside the project when it was built (CON-05)', () => {
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

  for (const ms of [0, 150]) {
    test(`stopped ${ms} ms after it hears signals, ends with exit code 0, long before the engine kills it`, async () => {
      const id = dockerOutput(['run', '--detach', '--network=none', '--read-only', '--cap-drop=ALL', IMAGE]).trim()
      try {
        const logs = () => `the process handles signals: ${JSON.stringify(docker(['logs', id]))}`
        await until(logs, () => hearsSignals(id), { limitMs: 60_000, everyMs: 10 })
        await setTimeout(ms)
        const began = performance.now()
        dockerOutput(['stop', '--time=20', id])
        assert.ok(performance.now() - began < 10_000, 'ends by itself')
        assert.equal(inspect<ContainerDescription>(id).State.ExitCode, 0)
      } finally {
        docker(['rm', '--force', id])
      }
    })
  }

  test('tells a mistake in its settings and ends', () => {
    const { ok, stderr } = docker(['run', '--rm', '--network=none', '--env=PROXY_UPSTREAM=nonsense', IMAGE])
    assert.equal(ok, false)
    assert.match(stderr, /PROXY_UPSTREAM/)
  })

  describe('run without root, capabilities and a disk to write to (CON-01)', () => {
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

    test('has started without a warning in its log', async () => {
      assert.deepEqual(warnings(proxy.getId()), [])
    })

    test('starts without a warning in its log where 20,000 files may be open', async () => {
      const limited = await startProduct(IMAGE, rehearsal, { openFiles: 20_000 })
      try {
        assert.deepEqual(warnings(limited.getId()), [])
      } finally {
        await limited.stop()
      }
    })

    test('is user 1000 without any capability, on a root file system that cannot be written', async () => {
      const status = await node(proxy, 'fs.readFileSync("/proc/1/status", "utf8")')
      assert.match(status, /^Uid:\t1000\t1000\t1000\t1000$/m)
      assert.match(status, /^CapEff:\t0+$/m)
      assert.match(status, /^NoNewPrivs:\t1$/m)
      const write = 'try { fs.writeFileSync("/app/x", "") } catch ({ code }) { code }'
      assert.equal(await node(proxy, write), 'EROFS')
    })

    test('is process 1, so that signals are its own (CON-02)', async () => {
      const command = await node(proxy, 'fs.readFileSync("/proc/1/cmdline", "utf8").split("\\0").join(" ")')
      assert.equal(command.trim(), '/usr/local/bin/node --disable-sigusr1 app/entry.js')
    })

    test('opens no debugger on SIGUSR1 (CON-04)', async () => {
      dockerOutput(['kill', '--signal=USR1', proxy.getId()])
      assert.equal(
        await node(proxy, 'fetch("http://127.0.0.1:9464/livez").then(({ status }) => console.log(status)), ""'),
        '200',
      )
      assert.doesNotMatch(dockerOutput(['logs', proxy.getId()]), /Debugger listening/)
    })

    test('carries mail', async () => {
      const before = await rehearsal.ledger()
      const client = await loggedIn(proxy)
      for (const line of mail().slice(0, -1)) assert.match(await ask(client, line), /^(250|354) /)
      assert.match(await ask(client, 'Subject: in a container\r\n\r\nText.\r\n.'), /^250 /)
      await ask(client, 'QUIT')
      await client.end()
      assert.equal((await rehearsal.ledger()).messages.accepted, before.messages.accepted + 1)
    })

    test('stopped with a mail in flight, lets it end, is accepted once, and exits with 0 within its grace', async () => {
      const before = await rehearsal.ledger()
      const [sending, idle] = [await loggedIn(proxy), await loggedIn(proxy)]
      for (const line of mail().slice(0, -1)) assert.match(await ask(sending, line), /^(250|354) /)
      await sending.send('Subject: in flight\r\n\r\nhalf of it\r\n')
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

/** Bits of the mask of signals that a process has a handler for: 1 is SIGHUP. */
const SIGHUP = 1n

/**
 * Whether app/entry.js has begun: process 1 gets no signal that it has no handler for, and until Node itself has started
 * there is none. SIGHUP is the last that it hears; SIGTERM has a handler of Node's before, which does not end process 1.
 */
function hearsSignals(id: string): boolean {
  const { stdout } = docker(['exec', id, '/usr/local/bin/node', '--print', 'fs.readFileSync("/proc/1/status", "utf8")'])
  const [, caught = '0'] = /^SigCgt:\t([0-9a-f]+)$/m.exec(stdout) ?? []
  return (BigInt(`0x${caught}`) & SIGHUP) !== 0n
}

/** Lines of its log that are no information. Fails when it has not logged that it listens. */
function warnings(id: string): string[] {
  const { stdout, stderr } = docker(['logs', id])
  const lines = `${stdout}${stderr}`.trim().split('\n')
  assert.match(stdout, /"msg":"listening"/)
  return lines.filter((line) => !line.startsWith('{"level":"info",'))
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>
}

/** The result of an expression in the container's Node, as text. */
async function node(container: StartedTestContainer, expression: string): Promise<string> {
  const { output, exitCode } = await container.exec(['/usr/local/bin/node', '--print', expression])
  assert.equal(exitCode, 0, output)
  return output.trimEnd()
}

/** A client that may send mail through the container. */
async function loggedIn(container: StartedTestContainer): Promise<Peer> {
  const client = await connectClient({ port: container.getMappedPort(2525), limitMs: 20_000 })
  await client.readReply()
  await ask(client, 'EHLO app.example')
  assert.match(await ask(client, AUTH_PLAIN), /^235 /)
  return client
}

/** Resolves when the container's log has a line with this text. */
async function logLine(container: StartedTestContainer, text: string): Promise<void> {
  const stream = await container.logs()
  for await (const chunk of stream) if (String(chunk).includes(text)) return stream.destroy() && undefined
}
