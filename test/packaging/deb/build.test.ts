/** The Debian package: its files, their owners and modes, and that two builds have the same bytes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import packageJson from '../../../package.json' with { type: 'json' }
import { buildDeb } from '../../../packaging/deb/build.ts'
import { ownArchitecture } from '../../../packaging/deb/node-program.ts'
import { debianVersion } from '../../../packaging/deb/texts.ts'
import { temporaryDirectory } from '../../support/files/temporary-files.ts'
import { installed } from '../../support/programs/installed.ts'
import { unless } from '../../support/programs/programs.ts'

/** An arbitrary time: 2026-01-02. */
const EPOCH = 1_767_312_000

describe('the Debian package', unless(installed('dpkg-deb')), () => {
  const work = temporaryDirectory('deb-')
  let file: string
  const build = (folder: string, epoch = EPOCH) =>
    buildDeb({ architecture: ownArchitecture(), folder: join(work.path, folder), epoch, compression: 'none' })
  const dpkgDeb = (...args: readonly string[]) => execFileSync('dpkg-deb', args, { encoding: 'utf8' })
  /** The files as `tar -tv` lists them: mode, owner and path. */
  const files = () =>
    [...dpkgDeb('--contents', file).matchAll(/^(?<mode>\S+) (?<owner>\S+) +\d+ \S+ \S+ \.(?<path>\/\S*)/gm)].map(
      ({ groups }) => groups as Readonly<Record<'mode' | 'owner' | 'path', string>>,
    )
  const modeOf = (path: string) => files().find((each) => each.path === path)?.mode

  before(async () => {
    file = await build('first')
  })
  after(() => work.remove())

  test('has its version and its architecture in its name', () => {
    const architecture = ownArchitecture()
    assert.equal(basename(file), `ahasend-smtp-proxy_${debianVersion(packageJson.version)}_${architecture}.deb`)
    assert.equal(dpkgDeb('--field', file, 'Architecture').trim(), architecture)
  })

  test('has the same bytes when it is built again at another time, and another mask of modes', async () => {
    const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')
    const mask = process.umask(0o077)
    try {
      assert.equal(hash(await build('second')), hash(file))
      assert.notEqual(hash(await build('third', EPOCH + 1)), hash(file))
    } finally {
      process.umask(mask)
    }
  })

  test('belongs to root, and only root can change a file', () => {
    assert.ok(files().length > 30)
    for (const { mode, owner, path } of files()) {
      assert.equal(owner, 'root/root', path)
      if (!mode.startsWith('l')) assert.match(mode, /^.{5}-..-.$/, path)
    }
  })

  test('has settings, keys and logins that only root can read', () => {
    for (const name of ['proxy.env', 'probe.env']) assert.equal(modeOf(`/etc/ahasend-smtp-proxy/${name}`), '-rw-------')
    for (const name of ['tls', 'probe']) assert.equal(modeOf(`/etc/ahasend-smtp-proxy/${name}/`), 'drwx------')
    assert.deepEqual(dpkgDeb('--info', file, 'conffiles').trim().split('\n'), [
      '/etc/ahasend-smtp-proxy/proxy.env',
      '/etc/ahasend-smtp-proxy/probe.env',
    ])
  })

  test('has the programs, the units, the manual page, and every generated dashboard and rule', () => {
    const paths = new Set(files().map(({ path }) => path))
    const generated = readdirSync(join(import.meta.dirname, '../../../dashboards/generated'))
    for (const path of [
      '/usr/bin/ahasend-smtp-proxy',
      ...['node', 'proxy.cjs', 'rehearsal.cjs', 'copy-certificate'].map(
        (name) => `/usr/lib/ahasend-smtp-proxy/${name}`,
      ),
      ...['', '-probe'].map((name) => `/usr/lib/systemd/system/ahasend-smtp-proxy${name}.service`),
      '/usr/share/man/man8/ahasend-smtp-proxy.8.gz',
      ...['copyright', 'node.txt', 'packages.txt'].map((name) => `/usr/share/doc/ahasend-smtp-proxy/${name}`),
      ...generated.map((name) => `/usr/share/ahasend-smtp-proxy/${name}`),
    ])
      assert.ok(paths.has(path), path)
  })

  test('has a checksum of each file that dpkg replaces', () => {
    const listed = dpkgDeb('--info', file, 'md5sums')
      .trim()
      .split('\n')
      .map((line) => `/${line.split('  ')[1]}`)
    const replaced = files().filter(({ mode, path }) => mode.startsWith('-') && !path.startsWith('/etc/'))
    assert.deepEqual(listed.sort(), replaced.map(({ path }) => path).sort())
  })

  test('has scripts without a mistake in their syntax', () => {
    for (const name of ['postinst', 'postrm', 'prerm'])
      execFileSync('sh', ['-n'], { input: dpkgDeb('--info', file, name) })
  })
})
