/** `npm run programs` with a `go` that takes long: its progress, and what it says and removes after Ctrl-C. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import { PROGRAMS } from '../support/programs/programs.ts'

test('Ctrl-C stops a build, removes what is unfinished and says how far it was', async () => {
  using directory = temporaryDirectory('programs-')
  for (const folder of ['test/programs', 'test/support/programs'])
    cpSync(folder, join(directory.path, folder), { recursive: true })
  writeFileSync(join(directory.path, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(directory.path, 'go'), '#!/bin/sh\necho started >&2\nexec sleep 60\n', { mode: 0o755 })
  const child = spawn(process.execPath, [join(directory.path, 'test/programs/main.ts')], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${directory.path}:${process.env.PATH}` },
  })
  let errors = ''
  for await (const text of child.stderr.setEncoding('utf8')) {
    errors += text
    // as a terminal does: to the whole group
    if (errors.endsWith('started\n')) process.kill(-child.pid!, 'SIGINT')
  }
  if (child.exitCode === null) await once(child, 'exit')
  assert.equal(child.exitCode, 130)
  assert.match(errors, /^Building collector, .* with Go\. This takes a few minutes\.\n/)
  assert.match(errors, new RegExp(`Interrupted after \\d s: 0 of ${PROGRAMS.length} programs built\\. `))
  assert.deepEqual(readdirSync(join(directory.path, '.cache/programs')), [])
})
