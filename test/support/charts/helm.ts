/** Helm, and what it renders from the chart of this project. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { type Outcome, run } from '../../clients/command.ts'
import { writeTemporaryFiles } from '../files/temporary-files.ts'
import { fileOf, missing, unless } from '../programs/programs.ts'

/** The folder of the chart. */
export const CHART = join(import.meta.dirname, '../../../charts/ahasend-smtp-proxy')

/** The name of the objects in the release `mail`. */
export const NAME = 'mail-ahasend-smtp-proxy'

/** The options of a test that runs Helm. */
export const needsHelm = unless(missing('helm'))

/** Values of the chart. */
export type Values = Readonly<Record<string, unknown>>

/** An object of Kubernetes, as far as all kinds are alike. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  // biome-ignore lint/suspicious/noExplicitAny: each kind has its own fields, and a wrong one fails the test
  readonly spec: any
  readonly data?: Readonly<Record<string, string>>
  readonly automountServiceAccountToken?: boolean
}

/** Runs Helm with values in a file. Nothing of the user's configuration is read. */
export async function helm(args: readonly string[], values: Values = {}): Promise<Outcome> {
  const { directory, paths, remove } = writeTemporaryFiles({ 'values.yaml': JSON.stringify(values) })
  try {
    const env = { HOME: directory, PATH: process.env.PATH }
    return await run({ file: fileOf('helm'), args: [...args, '--values', paths['values.yaml']], env })
  } finally {
    remove()
  }
}

/** The text that a release `mail` in the namespace `apps` applies. Fails with what Helm says. */
export async function renderedText(values: Values = {}, chart = CHART): Promise<string> {
  const { code, stdout, stderr } = await helm(['template', 'mail', chart, '--namespace', 'apps'], values)
  assert.equal(code, 0, stderr)
  return stdout
}

/** The objects of that release. The same values are rendered once. */
export function rendered(values: Values = {}): Promise<Release> {
  const key = JSON.stringify(values)
  const known = releases.get(key)
  if (known !== undefined) return known
  const release = render(values)
  releases.set(key, release)
  return release
}

const releases = new Map<string, Promise<Release>>()

async function render(values: Values): Promise<Release> {
  const documents = parseAllDocuments(await renderedText(values))
  const parsed = documents.map((document) => {
    assert.deepEqual(document.errors, [])
    return document.toJS() as Manifest | null
  })
  return new Release(parsed.filter((manifest) => manifest !== null))
}

/** Why Helm refuses values. Fails if it accepts them. */
export async function refusal(values: Values): Promise<string> {
  const { code, stderr } = await helm(['template', 'mail', CHART], values)
  assert.notEqual(code, 0, 'the values are accepted')
  return stderr
}

/** The objects of a release, by kind and name. */
export class Release {
  readonly manifests: readonly Manifest[]

  constructor(manifests: readonly Manifest[]) {
    this.manifests = manifests
  }

  /** The kinds and names of all objects, in the order of the alphabet. */
  names(): string[] {
    return this.manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted()
  }

  /** The object with this kind, and with this name unless it is the only one. */
  one(kind: string, name?: string): Manifest {
    const found = this.manifests.filter(
      (manifest) => manifest.kind === kind && (name ?? manifest.metadata.name) === manifest.metadata.name,
    )
    assert.equal(found.length, 1, `${kind} ${name ?? ''} in ${this.names().join(', ')}`)
    return found[0]!
  }

  /** The pod of the proxy. */
  pod() {
    return this.one('Deployment', NAME).spec.template.spec
  }

  /** The container of the proxy. */
  container() {
    return this.pod().containers[0]
  }

  /** The variables of the proxy that have a value, by name. */
  settings(): Record<string, string> {
    return settingsOf(this.container())
  }
}

/** The variables of a container that have a value, by name. */
export function settingsOf(container: {
  readonly env: readonly { readonly name: string; readonly value?: string }[]
}): Record<string, string> {
  return Object.fromEntries(
    container.env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const])),
  )
}
