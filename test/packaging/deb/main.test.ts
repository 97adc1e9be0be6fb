/** `npm run deb` with a wrong argument. What it builds: build.test.ts. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

test('an unknown architecture is refused, with those that exist', () => {
  const args = ['packaging/deb/main.ts', '--arch', 'x64']
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.deepEqual([status, stderr], [2, '--arch x64: expected amd64 or arm64\n'])
})
