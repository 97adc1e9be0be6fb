/** The notification to systemd, with a program in the place of systemd-notify. The real one: test/containers/debian-package.ts. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import { startProxy } from '../support/processes/proxy-process.ts'
import { until } from '../support/waiting/until.ts'

/** A script without programs, because PATH has none: it writes its arguments next to itself. */
const RECORD = 'echo "$@" "$NOTIFY_SOCKET" >>"$0.calls"'

const callsIn = (path: string) => join(path, 'systemd-notify.calls')

/** A directory for PATH whose systemd-notify runs `script`. */
function withProgram(context: TestContext, script: string): string {
  const { path, remove } = temporaryDirectory()
  context.after(remove)
  writeFileSync(join(path, 'systemd-notify'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(path, 'systemd-notify'), 0o755)
  return path
}

/** The environment of a proxy that systemd started. */
const underSystemd = (path: string) => ({ PATH: path, NOTIFY_SOCKET: '/run/systemd/notify' })

describe('A proxy that systemd started', () => {
  test('reports once that it is ready', async (context) => {
    const path = withProgram(context, RECORD)
    await using proxy = await startProxy(underSystemd(path))
    const calls = callsIn(path)
    await until('a notification', () => existsSync(calls) && readFileSync(calls, 'utf8').endsWith('\n'))
    await proxy.stop()
    assert.equal(readFileSync(calls, 'utf8'), '--ready /run/systemd/notify\n')
  })

  test('does not report it if a listener cannot be opened', async (context) => {
    const path = withProgram(context, RECORD)
    await using other = await startProxy({})
    const taken = `smtp://127.0.0.1:${other.port}`
    await assert.rejects(async () => startProxy({ ...underSystemd(path), PROXY_LISTEN: taken }))
    assert.equal(existsSync(callsIn(path)), false)
  })

  const failures = [
    ['the program fails', 'exit 3', /^systemd-notify ended with 3$/],
    ['the program is killed', 'kill -9 $$', /^systemd-notify ended with SIGKILL$/],
  ] as const
  for (const [what, script, reason] of failures) {
    test(`logs it if ${what}, and serves mail`, async (context) => {
      await using proxy = await startProxy(underSystemd(withProgram(context, script)))
      const { level, error } = await proxy.line(({ msg }) => msg === 'systemd not notified')
      assert.equal(level, 'error')
      assert.match(String(error), reason)
      assert.equal(await proxy.stop(), 0)
    })
  }

  test('logs it if there is no such program', async (context) => {
    const { path, remove } = temporaryDirectory()
    context.after(remove)
    await using proxy = await startProxy(underSystemd(path))
    const { error } = await proxy.line(({ msg }) => msg === 'systemd not notified')
    assert.match(String(error), /ENOENT/)
  })
})

test('a proxy that systemd did not start runs no program', async (context) => {
  const path = withProgram(context, RECORD)
  await using proxy = await startProxy({ PATH: path })
  await proxy.stop()
  assert.equal(existsSync(callsIn(path)), false)
})
