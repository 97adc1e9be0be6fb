/** The sentence for a version of Node that cannot run the proxy. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import packageJson from '../../package.json' with { type: 'json' }
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'

const ROOT = join(import.meta.dirname, '../..')

/** A module that makes Node report another version of itself. */
const reporting = (version: string) =>
  `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`

/** Runs a file of app/ as Node `version`. */
function runAs(version: string, file: string) {
  const args = ['--import', `data:text/javascript,${encodeURIComponent(reporting(version))}`, join('app', file)]
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', env: { PROXY_LISTEN: 'no address' } })
}

describe('an old Node', () => {
  for (const file of ['node-version.js', 'entry.js']) {
    test(`is named in one sentence that says what to do (${file}), exit code 2`, () => {
      const { status, stdout, stderr } = runAs('20.19.5', file)
      assert.deepEqual([status, stdout], [2, ''])
      assert.match(
        stderr,
        /^The proxy needs Node 24 or later, but this is Node 20\.19\.5\. Install Node 24, or [^\n]+\n$/,
      )
    })
  }

  for (const script of ['start', 'proxy:check']) {
    test(`is named by npm run ${script}, although it rejects the flags of the proxy`, (context) => {
      const { status, stderr } = npmWithNode(context, script)
      assert.equal(status, 2)
      assert.match(stderr, /^The proxy needs Node 24 or later/)
      assert.doesNotMatch(stderr, /bad option/)
    })
  }
})

/** Runs a script of package.json with a `node` that behaves like Node 20: it knows no --disable-sigusr1. */
function npmWithNode(context: TestContext, script: string) {
  const { directory, remove } = writeTemporaryFiles({})
  context.after(remove)
  mkdirSync(join(directory, 'bin'))
  symlinkSync(join(ROOT, 'app'), join(directory, 'app'))
  writeFileSync(join(directory, 'old.mjs'), reporting('20.19.5'))
  const node = `#!/bin/sh
case "$1" in --disable*) echo "node: bad option: $1" >&2; exit 9;; esac
exec '${process.execPath}' --import '${directory}/old.mjs' "$@"
`
  writeFileSync(join(directory, 'bin/node'), node, { mode: 0o755 })
  const command = (packageJson.scripts as Record<string, string>)[script] ?? ''
  return spawnSync('sh', ['-c', command], {
    cwd: directory,
    encoding: 'utf8',
    env: { PATH: `${join(directory, 'bin')}:${process.env.PATH}` },
  })
}

test('the oldest version is that of package.json, and Node 24 itself is accepted', () => {
  const source = readFileSync(join(ROOT, 'app/node-version.js'), 'utf8')
  assert.equal(packageJson.engines.node, `>=${/OLDEST = (\d+)/.exec(source)?.[1]}`)
  assert.deepEqual([runAs('24.0.0', 'node-version.js').status, runAs('30.1.0', 'node-version.js').status], [0, 0])
})
