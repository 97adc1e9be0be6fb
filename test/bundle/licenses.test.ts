import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { licensesOf, packageFolders } from '../../bundle/licenses.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'

/** A project with packages: their manifests and the texts of their other files. */
function project(context: TestContext, packages: Readonly<Record<string, Readonly<Record<string, string>>>>): string {
  const { path, remove } = temporaryDirectory()
  context.after(remove)
  for (const [folder, files] of Object.entries(packages)) {
    mkdirSync(join(path, folder), { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, folder, name), text)
  }
  return path
}

const manifest = (name: string, license?: string) => JSON.stringify({ name, version: '1.2.3', license })

test('the packages of files are those whose folder is the last node_modules of the path', () => {
  const files = [
    'app/main.ts',
    'node_modules/pino/lib/levels.js',
    'node_modules/pino/pino.js',
    'node_modules/tsyringe/node_modules/tslib/tslib.js',
    'node_modules/@opentelemetry/api/build/index.js',
  ]
  assert.deepEqual(packageFolders(files), [
    'node_modules/@opentelemetry/api',
    'node_modules/pino',
    'node_modules/tsyringe/node_modules/tslib',
  ])
})

describe('the text of licenses', () => {
  test('lists the packages by name, with each text once and with notices', (context) => {
    const root = project(context, {
      'node_modules/z': { 'package.json': manifest('z', 'MIT'), LICENSE: 'text of z' },
      'node_modules/b': { 'package.json': manifest('b', 'ISC'), 'license.md': 'same text\r\n' },
      'node_modules/z/node_modules/a': { 'package.json': manifest('a', 'ISC'), LICENCE: 'same text' },
      'node_modules/@c/c': { 'package.json': manifest('@c/c', 'Apache-2.0'), LICENSE: 'terms', NOTICE: 'thanks' },
      'node_modules/unused': { 'package.json': manifest('unused', 'GPL-3.0') },
    })
    const files = [
      'text:node_modules/z/style.css',
      'node_modules/b/index.js',
      'node_modules/z/node_modules/a/index.js',
      'node_modules/@c/c/index.js',
    ]
    const line = '-'.repeat(80)
    const text = [
      'This program contains these packages:\n',
      '@c/c 1.2.3 (Apache-2.0)\na 1.2.3 (ISC)\nb 1.2.3 (ISC)\nz 1.2.3 (MIT)\n',
      `${line}\n@c/c 1.2.3 (Apache-2.0)\n\nterms\n\nthanks\n`,
      `${line}\na 1.2.3 (ISC)\nb 1.2.3 (ISC)\n\nsame text\n`,
      `${line}\nz 1.2.3 (MIT)\n\ntext of z\n`,
    ].join('\n')
    assert.equal(licensesOf(files, root), text)
    assert.equal(licensesOf(files.toReversed(), root), text)
  })

  test('is refused with every package that has no license text or a license that is not allowed', (context) => {
    const root = project(context, {
      'node_modules/bare': { 'package.json': manifest('bare', 'MIT'), NOTICE: 'no license text' },
      'node_modules/copyleft': { 'package.json': manifest('copyleft', 'GPL-3.0-only'), LICENSE: 'terms' },
      'node_modules/unnamed': { 'package.json': manifest('unnamed'), LICENSE: 'terms' },
    })
    const files = ['bare', 'copyleft', 'unnamed'].map((name) => `node_modules/${name}/index.js`)
    assert.throws(() => licensesOf(files, root), {
      message: new RegExp(
        '^bare has no file with its license\n' +
          'copyleft has the license GPL-3\\.0-only: allowed are 0BSD, [^\n]+\n' +
          'unnamed has the license \\(none\\): allowed are 0BSD, [^\n]+$',
      ),
    })
  })
})
