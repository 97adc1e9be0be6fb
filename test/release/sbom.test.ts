/** The software bill of materials: exactly what the bundle contains, and Node, in a valid CycloneDX document. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build, type Contents, LICENSES_FILE } from '../../bundle/build.ts'
import packageJson from '../../package.json' with { type: 'json' }
import type { sbomOf } from '../../release/sbom.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import { directoryOfPrograms, fileOf, missing, unless } from '../support/programs/programs.ts'

type Document = ReturnType<typeof sbomOf>

const ROOT = join(import.meta.dirname, '../..')
const NAMES = { image: 'image', package: 'npm' } as const

/** The exit code and the errors of the comparison with the schema. */
function validate(document: object): { readonly status: number | null; readonly stderr: string } {
  const input = JSON.stringify(document)
  return spawnSync(fileOf('validate-sbom'), [directoryOfPrograms()], { input, encoding: 'utf8' })
}

describe('npm run sbom', () => {
  const work = temporaryDirectory('sbom-')
  const texts = {} as Record<Contents, string>
  const documents = {} as Record<Contents, Document>

  before(() => {
    run()
    for (const contents of ['image', 'package'] as const) {
      texts[contents] = readFileSync(join(work.path, nameOf(contents)), 'utf8')
      documents[contents] = JSON.parse(texts[contents])
    }
  })
  after(() => work.remove())

  const nameOf = (contents: Contents) => `ahasend-smtp-proxy-${packageJson.version}-${NAMES[contents]}.cdx.json`

  function run(...args: string[]): void {
    const { status, stderr } = spawnSync(process.execPath, ['release/main.ts', 'sbom', work.path, ...args], {
      cwd: ROOT,
    })
    assert.equal(status, 0, stderr.toString())
  }

  test('writes one document for the image and one for the npm package', () => {
    assert.deepEqual(readdirSync(work.path), [nameOf('image'), nameOf('package')])
  })

  for (const contents of ['image', 'package'] as const) {
    test(`lists the packages whose licenses the ${contents} contains, and Node`, async () => {
      const files = await build(contents, join(work.path, contents))
      const licenses = Buffer.from(files.find(({ name }) => name === LICENSES_FILE)?.bytes ?? []).toString()
      const packages = [...licenses.matchAll(/^(\S+) (\d\S*) \(([^)]+)\)$/gm)].map(([line]) => line)
      const [node, ...components] = documents[contents].components
      const listed = components.map((one) => {
        const name = 'group' in one ? `${one.group}/${one.name}` : one.name
        return `${name} ${one.version} (${one.licenses[0]?.license.id})`
      })
      assert.ok(listed.length > 10)
      assert.deepEqual(listed.sort(), [...new Set(packages)].sort())
      assert.deepEqual([node?.name, node?.version], ['node', packageJson.devDependencies.node])
      assert.equal(node?.scope, contents === 'image' ? 'required' : 'excluded')
    })

    test(`of the ${contents} is a valid document`, unless(missing('validate-sbom')), () => {
      assert.deepEqual(validate(documents[contents]).stderr, '')
      assert.equal(validate(documents[contents]).status, 0)
    })
  }

  test('an invalid document is noticed', unless(missing('validate-sbom')), () => {
    const { status, stderr } = validate({ ...documents.image, specVersion: 1.6 })
    assert.equal(status, 1)
    assert.match(stderr, /at '\/specVersion'/)
  })

  test('has the hash of each archive of package-lock.json', () => {
    const pino = documents.image.components.find(({ name }) => name === 'pino')
    assert.ok(pino !== undefined && 'hashes' in pino)
    const [{ alg, content } = assert.fail()] = pino.hashes
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
    const integrity = `sha512-${Buffer.from(content, 'hex').toString('base64')}`
    assert.deepEqual([alg, integrity], ['SHA-512', packages['node_modules/pino'].integrity])
  })

  test('names each component once, and the product depends on all of them', () => {
    for (const { components, dependencies, metadata } of Object.values(documents)) {
      const references = components.map((one) => one['bom-ref'])
      assert.equal(new Set(references).size, references.length)
      assert.deepEqual(dependencies[0], { ref: metadata.component['bom-ref'], dependsOn: references })
    }
  })

  test('has a serial number of its own, which depends on the contents', () => {
    const numbers = [documents.image.serialNumber, documents.package.serialNumber]
    for (const number of numbers)
      assert.match(number, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.notEqual(numbers[0], numbers[1])
  })

  test('writes the same bytes again', () => {
    run()
    for (const contents of ['image', 'package'] as const)
      assert.equal(readFileSync(join(work.path, nameOf(contents)), 'utf8'), texts[contents])
  })

  test('--node is the version of Node in the image', () => {
    run('--node', 'v24.99.0')
    const { components } = JSON.parse(readFileSync(join(work.path, nameOf('image')), 'utf8')) as Document
    assert.equal(components[0]?.purl, 'pkg:generic/node@24.99.0')
  })
})
