/**
 * The programs that tests run: an OpenTelemetry Collector, Prometheus, promtool, Alertmanager and amtool, Helm, kubeconform,
 * actionlint, and a program that compares an SBOM with its schema. `npm run programs` builds them with Go in the versions of
 * the files go.mod in test/programs/, and keeps them in .cache/.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where their sources are. */
export const SOURCES = join(dirname(fileURLToPath(import.meta.url)), '../../..', 'test', 'programs')

export const PROGRAMS = [
  'collector',
  'prometheus',
  'promtool',
  'alertmanager',
  'amtool',
  'helm',
  'kubeconform',
  'actionlint',
  'validate-sbom',
] as const

export type Program = (typeof PROGRAMS)[number]

/** The schemas of CycloneDX, next to the programs. */
export const SBOM_SCHEMAS = ['bom-1.6.schema.json', 'jsf-0.82.schemax.json', 'spdx.schema.json'] as const

const BUILT = join(SOURCES, '..', '..', '.cache', 'programs')

/** The files that determine the built programs. */
const INPUTS = [
  'go.mod',
  'go.sum',
  'collector/main.go',
  'release/go.mod',
  'release/go.sum',
  'release/validate-sbom/main.go',
  'charts/go.mod',
  'charts/go.sum',
  'build.ts',
]

/** The directory of the built programs. It changes with their sources. */
export function directoryOfPrograms(): string {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  for (const input of INPUTS) hash.update(readFileSync(join(SOURCES, input)))
  return join(BUILT, hash.digest('hex').slice(0, 16))
}

/** The path of a program, which may be missing: see `missing`. */
export function fileOf(program: Program): string {
  return join(directoryOfPrograms(), program)
}

/** The directory of the schemas of manifests: Kubernetes' OpenAPI documents, and the Prometheus operator's definitions. */
export function directoryOfSchemas(): string {
  return join(directoryOfPrograms(), 'schemas')
}

/** Why a program cannot run, and how to fix that; undefined when it can. */
export function missing(program: Program): string | undefined {
  if (existsSync(fileOf(program))) return undefined
  return `${program} is not built: npm run programs (it needs Go and some minutes)`
}

/**
 * The options of a test with requirements. Each reason says which requirement is missing. The test is skipped with the
 * first reason. With the variable CI set, it is not skipped, and fails.
 */
export function unless(...reasons: readonly (string | undefined)[]): { readonly skip: string | false } {
  const reason = reasons.find((given) => given !== undefined)
  return { skip: process.env.CI ? false : (reason ?? false) }
}
