/**
 * Builds the product: each program as one JavaScript file without dependencies, with a source map, and one file with the
 * licenses of the packages in them. The same sources give the same bytes, in any folder and at any time.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type BuildResult, build as bundle, type Metafile } from 'esbuild'
import { licensesOf, type Package, packagesOf } from './licenses.ts'
import { replaceModules } from './replaced.ts'

const ROOT = join(import.meta.dirname, '..')

/** The entry point of each program. */
const PROGRAMS = {
  proxy: 'bundle/proxy.js',
  health: 'app/health.ts',
  'alertmanager-config': 'dashboards/alertmanager/main.ts',
  'monitoring-config': 'dashboards/monitoring/main.ts',
  rehearsal: 'test/rehearsal/packaged.ts',
} as const

/** The programs of the container image and of the npm package. */
export const CONTENTS = {
  image: ['proxy', 'health', 'alertmanager-config', 'monitoring-config'],
  package: ['proxy', 'rehearsal'],
} as const satisfies Readonly<Record<string, readonly (keyof typeof PROGRAMS)[]>>

export type Contents = keyof typeof CONTENTS

export const LICENSES_FILE = 'THIRD-PARTY-LICENSES.txt'

/** An older version of Node can parse the result too, so that it prints which version it needs. */
const TARGET = 'node18'

/** A file of the build. */
export interface BuiltFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** Writes the files into `folder`. Rejects if a module is doubtful in a bundle, or if a license is missing. */
export async function build(contents: Contents, folder: string): Promise<readonly BuiltFile[]> {
  const files = filesOf(await bundleOf(contents))
  mkdirSync(folder, { recursive: true })
  for (const { name, bytes } of files) writeFileSync(join(folder, name), bytes)
  return files
}

/** The packages of which something is in the programs. */
export async function packagesIn(contents: Contents): Promise<readonly Package[]> {
  return packagesOf(inputsOf((await bundleOf(contents)).metafile), ROOT)
}

function bundleOf(contents: Contents) {
  return bundle({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(CONTENTS[contents].map((name) => [name, PROGRAMS[name]])),
    // not the folder of the caller, because the paths in the source map begin here
    outdir: 'dist',
    write: false,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    // node_modules may be a link; its target is no part of the result
    preserveSymlinks: true,
    platform: 'node',
    // Node loads CommonJS faster than modules, and the modules of a command that does not run stay unloaded
    format: 'cjs',
    target: TARGET,
    // not those of tsconfig.json: what Node does when it runs the sources
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, useDefineForClassFields: true } },
    sourcemap: 'linked',
    // the sources are public, and would make the map four times as large
    sourcesContent: false,
    legalComments: 'none',
    metafile: true,
    logLevel: 'silent',
    plugins: [replaceModules(ROOT)],
  })
}

function filesOf({ warnings, outputFiles, metafile }: BuildResult<{ write: false; metafile: true }>): BuiltFile[] {
  // such as import.meta, which is empty in a bundle
  if (warnings.length > 0) {
    throw new Error(warnings.map(({ text, location }) => `${location?.file}:${location?.line}: ${text}`).join('\n'))
  }
  const programs = outputFiles.map(({ path, contents }) => ({ name: basename(path), bytes: contents }))
  return [...programs, { name: LICENSES_FILE, bytes: Buffer.from(licensesOf(inputsOf(metafile), ROOT)) }]
}

/** The files of which something is in the result. */
function inputsOf({ outputs }: Metafile): string[] {
  return Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs))
}
