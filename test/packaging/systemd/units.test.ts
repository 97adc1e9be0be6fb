/** The units: systemd accepts them, they are confined, and they agree with the settings of the proxy. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { EXIT } from '../../../app/exit-code.ts'
import { readSettings } from '../../../app/settings.ts'
import { unitNames } from '../../../packaging/deb/contents.ts'
import { openFilesNote } from '../../../proxy/server/fd-limit.ts'
import { SETTINGS } from '../../../proxy/settings/table.ts'
import { duration } from '../../../settings/durations.ts'
import { temporaryDirectory } from '../../support/files/temporary-files.ts'
import { installed } from '../../support/programs/installed.ts'
import { unless } from '../../support/programs/programs.ts'

const FOLDER = join(import.meta.dirname, '../../../packaging/systemd')
const PROXY = 'ahasend-smtp-proxy.service'

const textOf = (name: string) => readFileSync(join(FOLDER, name), 'utf8')

/** The values of a directive, in the order of the file. */
function valuesOf(text: string, directive: string): string[] {
  return [...text.matchAll(new RegExp(`^${directive}=(.*)$`, 'gm'))].map(([, value = '']) => value)
}

/** Runs systemd-analyze on a unit with this text. Its programs are replaced by one that every machine has. */
function analyze(name: string, text: string, ...args: readonly string[]) {
  using directory = temporaryDirectory()
  const file = join(directory.path, name)
  const runnable = text
    .replaceAll(/\/usr\/lib\/ahasend-smtp-proxy\/\S+/g, '/bin/true')
    .replace('man:ahasend-smtp-proxy(8) ', '')
  writeFileSync(file, runnable)
  const { status, stdout, stderr } = spawnSync('systemd-analyze', [...args, file], { encoding: 'utf8' })
  return { ok: status === 0, output: stdout + stderr }
}

/** The exposure times ten, as systemd-analyze takes it. */
const MOST_EXPOSURE = 20
const SECURITY = ['security', '--offline=yes', `--threshold=${MOST_EXPOSURE}`, '--no-pager'] as const

for (const name of unitNames()) {
  describe(name, unless(installed('systemd-analyze')), () => {
    const text = textOf(name)

    test('is valid', () => {
      assert.deepEqual(analyze(name, text, 'verify'), { ok: true, output: '' })
      assert.match(analyze(name, `${text}\n[Service]\nNoSuchDirective=1\n`, 'verify').output, /NoSuchDirective/)
    })

    test(`has an exposure below ${MOST_EXPOSURE / 10}`, (context) => {
      const { ok, output } = analyze(name, text, ...SECURITY)
      context.diagnostic(/Overall exposure level .*?: [0-9.]+/.exec(output)?.[0] ?? output)
      assert.ok(ok, output)
      assert.equal(
        analyze(name, text.replace('PrivateUsers=yes', '').replace(/^SystemCall.*$/gm, ''), ...SECURITY).ok,
        false,
      )
    })

    test('has no capability, a user of its own, and a read-only file system', () => {
      for (const [directive, value] of [
        ['CapabilityBoundingSet', ''],
        ['AmbientCapabilities', ''],
        ['DynamicUser', 'yes'],
        ['ProtectSystem', 'strict'],
      ] as const)
        assert.deepEqual(valuesOf(text, directive), [value], directive)
    })

    test('restarts the program after a failure, but not after a mistake in the settings', () => {
      assert.deepEqual(valuesOf(text, 'Restart'), ['on-failure'])
      assert.deepEqual(valuesOf(text, 'RestartPreventExitStatus'), [String(EXIT.misconfigured)])
    })
  })
}

describe('The unit of the proxy', () => {
  const text = textOf(PROXY)
  const settings = readSettings({})
  assert.ok('config' in settings)
  const { config } = settings

  test('is killed after the default of PROXY_STOP_GRACE', () => {
    const [limit = ''] = valuesOf(text, 'TimeoutStopSec')
    assert.deepEqual(duration('0s', '2h')(limit), { value: config.stopGraceMs })
  })

  test('may open the files that the default of PROXY_MAX_SESSIONS needs', () => {
    const [limit] = valuesOf(text, 'LimitNOFILE').map(Number)
    // an unset one is lower if this machine allows few open files
    const wanted = { ...config, maxSessions: Number(SETTINGS.maxSessions.default) }
    assert.equal(openFilesNote(wanted, {}, limit ?? 0), undefined)
    assert.notEqual(openFilesNote(wanted, {}, 20_000), undefined)
  })

  test('opens no debugger on SIGUSR1', () => {
    assert.match(valuesOf(text, 'ExecStart')[0] ?? '', /node --disable-sigusr1 /)
  })
})
