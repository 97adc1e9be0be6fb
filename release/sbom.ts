/** The software bill of materials (SBOM) of the product, in the format CycloneDX 1.6: the same sources give the same bytes. */
import { createHash } from 'node:crypto'
import type { Package } from '../bundle/licenses.ts'

/** What the document is about. */
export interface Product {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly license: string
  /** `git+https://…`, as npm writes it. */
  readonly repository: { readonly url: string }
}

/** The Node that runs the product: a part of it, or what its user has to install. */
export interface Runtime {
  readonly version: string
  readonly isIncluded: boolean
}

/** The hash of the archive of a package, in the form of package-lock.json: `sha512-…`. */
export type Integrity = (one: Package) => string | undefined

/** The document. Its components are Node and the packages, and nothing else. */
export function sbomOf(product: Product, packages: readonly Package[], node: Runtime, integrity: Integrity) {
  const components = [nodeComponent(node), ...packages.map((one) => packageComponent(one, integrity(one)))]
  const self = purl(product.name, product.version)
  const contents = {
    metadata: { component: productComponent(product) },
    components,
    dependencies: [
      { ref: self, dependsOn: components.map((one) => one['bom-ref']) },
      ...components.map((one) => ({ ref: one['bom-ref'] })),
    ],
  }
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: serialNumber(JSON.stringify(contents)),
    version: 1,
    ...contents,
  }
}

/** The action that signs the document requires a number. It depends only on the contents: a UUID of version 8 (RFC 9562). */
function serialNumber(contents: string): string {
  const hash = createHash('sha256').update(contents).digest('hex')
  const parts = [hash.slice(0, 8), hash.slice(8, 12), `8${hash.slice(13, 16)}`, `8${hash.slice(17, 20)}`]
  return `urn:uuid:${[...parts, hash.slice(20, 32)].join('-')}`
}

function productComponent({ name, version, description, license, repository }: Product) {
  return {
    type: 'application',
    'bom-ref': purl(name, version),
    name,
    version,
    description,
    licenses: [{ license: { id: license } }],
    purl: purl(name, version),
    externalReferences: [{ type: 'vcs', url: repository.url.replace(/^git\+/, '') }],
  }
}

/** Scanners find the vulnerabilities of Node by the `cpe`, because it is no npm package. */
function nodeComponent({ version, isIncluded }: Runtime) {
  return {
    type: 'platform',
    'bom-ref': `pkg:generic/node@${version}`,
    name: 'node',
    version,
    scope: isIncluded ? 'required' : 'excluded',
    licenses: [{ license: { id: 'MIT' } }],
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    purl: `pkg:generic/node@${version}`,
  }
}

function packageComponent({ name, version, license }: Package, integrity: string | undefined) {
  const [, group, short = name] = /^(?:(@[^/]+)\/)?(.*)$/.exec(name) ?? []
  return {
    type: 'library',
    'bom-ref': purl(name, version),
    ...(group !== undefined && { group }),
    name: short,
    version,
    scope: 'required',
    ...(integrity !== undefined && { hashes: [hashOf(integrity)] }),
    licenses: [{ license: { id: license } }],
    purl: purl(name, version),
  }
}

function purl(name: string, version: string): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}

function hashOf(integrity: string) {
  const [, algorithm, content = ''] = /^sha(\d+)-(.*)$/.exec(integrity) ?? []
  return { alg: `SHA-${algorithm}`, content: Buffer.from(content, 'base64').toString('hex') }
}
