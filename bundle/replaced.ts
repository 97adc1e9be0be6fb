/**
 * The modules that know where files of the project are. A bundle has no such files, so it gets other modules in their
 * place: texts become part of the bundle, and programs are files next to it.
 */
import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import type { OnLoadResult, Plugin, PluginBuild } from 'esbuild'
import packageJson from '../package.json' with { type: 'json' }

const CSS = 'text/css; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'

/** An expression for a file in the folder of the bundle. */
const next = (file: string) => `require('node:path').join(__dirname, '${file}')`

/** The module in the place of each file. `text:` imports a file as text. */
export const MODULES: Readonly<Record<string, string>> = {
  'proxy/server/worker-file.ts': 'export const WORKER_FILE = __filename',
  'app/rehearsal-file.ts': `export const REHEARSAL_FILE = ${next('rehearsal.cjs')}`,
  'status/page/assets.ts': pageFiles({
    '/status.css': ['./status.css', CSS],
    '/status.js': ['./client.js', SCRIPT],
    '/uplot.css': ['uplot/dist/uPlot.min.css', CSS],
    '/uplot.js': ['uplot/dist/uPlot.iife.min.js', SCRIPT],
  }),
  'test/simulator/control/files.ts': `${pageFiles({
    'status.css': ['../../../status/page/status.css', CSS],
    'control.css': ['./control.css', CSS],
    'control.js': ['./client.js', SCRIPT],
  })}
    export const pageFile = (name) => assets.get(name)`,
  'test/demo/programs.ts': `
    export const PROXY_FILE = ${next('proxy.cjs')}
    export const commandOf = (name) => 'ahasend-smtp-proxy ' + name`,
  // Prometheus and Alertmanager are built by the project
  'test/rehearsal/monitoring.ts': `
    export const monitoringMissing = () => 'the package has no Prometheus; a rehearsal with Docker Compose has it'
    export const startAlerting = () => { throw new Error(monitoringMissing()) }`,
  'package.json': JSON.stringify({ name: packageJson.name, version: packageJson.version }),
}

/** The source of a module with the map `assets` from names to files and their types. */
function pageFiles(files: Readonly<Record<string, readonly [file: string, type: string]>>): string {
  const entries = Object.entries(files)
  const imports = entries.map(([, [file]], index) => `import text${index} from 'text:${file}'`)
  const rows = entries.map(([name, [, type]], index) => `['${name}', { type: '${type}', body: text${index} }]`)
  return `${imports.join('\n')}\nexport const assets = new Map([${rows.join(', ')}])`
}

/**
 * Replaces the modules. All paths that esbuild sees are relative to `root`, so that the bundle does not depend on the folder
 * in which it was built.
 */
export function replaceModules(root: string): Plugin {
  return {
    name: 'replaced modules',
    setup(build) {
      const files = Object.keys(MODULES).map((file) => file.replaceAll('.', '\\.'))
      build.onLoad({ filter: new RegExp(`/(${files.join('|')})$`) }, ({ path }) => replacement(root, path))
      embedTexts(build, root)
    },
  }
}

function replacement(root: string, path: string): OnLoadResult | undefined {
  const contents = MODULES[relative(root, path)]
  if (contents === undefined) return undefined
  return { contents, loader: path.endsWith('.json') ? 'json' : 'js', resolveDir: dirname(path) }
}

function embedTexts(build: PluginBuild, root: string): void {
  build.onResolve({ filter: /^text:/ }, async ({ path, resolveDir }) => {
    const found = await build.resolve(path.slice('text:'.length), { resolveDir, kind: 'import-statement' })
    return { path: relative(root, found.path), namespace: 'text', errors: found.errors }
  })
  build.onLoad({ filter: /./, namespace: 'text' }, ({ path }) => ({
    contents: readFileSync(resolve(root, path), 'utf8'),
    loader: 'text',
  }))
}
