/** The command ahasend-smtp-proxy of the Debian package: with the settings of the service if its user may read them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/files/temporary-files.ts'

const SCRIPT = readFileSync(join(import.meta.dirname, '../../../packaging/deb/ahasend-smtp-proxy'), 'utf8')
/** A user other than root; only root can become one. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

describe('The command of the Debian package', () => {
  let root: TemporaryDirectory
  let settings = ''
  beforeEach(() => {
    root = temporaryDirectory('command-')
    chmodSync(root.path, 0o755)
    for (const folder of ['etc/ahasend-smtp-proxy', 'usr/lib/ahasend-smtp-proxy'])
      mkdirSync(join(root.path, folder), { recursive: true })
    settings = join(root.path, 'etc/ahasend-smtp-proxy/proxy.env')
    writeFileSync(join(root.path, 'usr/lib/ahasend-smtp-proxy/node'), '#!/bin/sh\necho "$*"\n', { mode: 0o755 })
  })
  afterEach(() => root.remove())

  /** Runs it as this user with the file system of the package in the directory. */
  const run = () => {
    const script = SCRIPT.replaceAll(/\/(?:etc|usr)\//g, `${root.path}$&`)
    const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', script, 'command', 'check'], {
      encoding: 'utf8',
      ...NOBODY,
    })
    assert.equal(status, 0, stderr)
    return { args: stdout, stderr }
  }

  test('reads the settings of the service', () => {
    writeFileSync(settings, '')
    const { args, stderr } = run()
    assert.equal(stderr, '')
    assert.match(args, /^--env-file=\S+\/proxy\.env --disable-sigusr1 \S+\/ahasend-smtp-proxy check\n$/)
  })

  test('says so if its user may not read them: a check of the defaults would be a false comfort', () => {
    writeFileSync(settings, '', { mode: 0o000 })
    const { args, stderr } = run()
    assert.match(
      stderr,
      /^warning: \S+\/proxy\.env: cannot be read, so the defaults are used\. Run the command with sudo\.\n$/,
    )
    assert.match(args, /^--disable-sigusr1 \S+\/ahasend-smtp-proxy check\n$/)
  })

  test('uses the defaults if there is no such file', () => {
    assert.equal(run().stderr, '')
  })
})
