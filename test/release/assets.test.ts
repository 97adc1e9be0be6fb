/** The files of a release: those of the project, the npm package, and what else must be there. */
import assert from 'node:assert/strict'
import { globSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import packageJson from '../../package.json' with { type: 'json' }
import { checkAssets, collectAssets } from '../../release/assets.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'

const ROOT = join(import.meta.dirname, '../..')
const { version } = packageJson

/** What other steps of a release put into the folder. */
const OTHERS = [
  `ahasend-smtp-proxy-${version}-image.cdx.json`,
  `ahasend-smtp-proxy-${version}-npm.cdx.json`,
  `ahasend-smtp-proxy_${version}-1_amd64.deb`,
  `ahasend-smtp-proxy_${version}-1_arm64.deb`,
]

describe('The files of a release', () => {
  const folder = temporaryDirectory('assets-')
  before(() => {
    collectAssets(ROOT, folder.path)
    for (const name of OTHERS) writeFileSync(join(folder.path, name), '')
  })
  after(() => folder.remove())

  test('are the dashboards, the rules, the files of Compose and the npm package', () => {
    const names = readdirSync(folder.path)
    const generated = globSync('dashboards/generated/*', { cwd: ROOT }).map((file) => file.split('/').at(-1))
    const expected = [...generated, 'compose.yaml', 'env.example', 'rehearsal.env', `ahasend-smtp-proxy-${version}.tgz`]
    assert.ok(generated.length > 5)
    for (const name of expected) assert.ok(names.includes(name ?? ''), name)
  })

  test('are copies', () => {
    assert.deepEqual(readFileSync(join(folder.path, 'env.example')), readFileSync(join(ROOT, '.env.example')))
  })

  test('are complete', () => checkAssets(folder.path, version))

  test('belong to one version', () => {
    assert.throws(() => checkAssets(folder.path, '9.9.9'), /has no ahasend-smtp-proxy-9\.9\.9\.tgz/)
  })

  for (const name of [...OTHERS, 'compose.yaml', 'grafana-alerts.yaml']) {
    test(`are incomplete without ${name}`, () => {
      const content = readFileSync(join(folder.path, name))
      rmSync(join(folder.path, name))
      assert.throws(() => checkAssets(folder.path, version), / has no /)
      writeFileSync(join(folder.path, name), content)
    })
  }
})
