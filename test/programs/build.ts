/** Builds the programs of `test/support/programs/programs.ts` that are missing. Exits with 1 when the build fails. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { directoryOfPrograms, missing, PROGRAMS, SBOM_SCHEMAS, SOURCES } from '../support/programs/programs.ts'

/** Built in the module here, so that they share what they compile. */
const PACKAGES = [
  './collector',
  'github.com/prometheus/prometheus/cmd/prometheus',
  'github.com/prometheus/prometheus/cmd/promtool',
]

/** Built in a module of their own, because their versions have nothing to do with those of Prometheus. */
const RELEASE_PACKAGES = ['./validate-sbom', 'github.com/rhysd/actionlint/cmd/actionlint']

/** Built in the module of test/programs/charts, because they need other versions of Kubernetes' packages. */
const FOR_CHARTS = ['helm.sh/helm/v4/cmd/helm', 'github.com/yannh/kubeconform/cmd/kubeconform']

/** Modules with the schemas of manifests, which kubeconform compares with. Nothing is built from them. */
const KUBERNETES_SCHEMAS = [
  {
    module: 'k8s.io/kubernetes@v1.37.2',
    sum: 'h1:A2VDEiObzkYqFTKhSsn0ZEb0RlLEXpHWj93gi2HqEwE=',
    folder: 'api/openapi-spec/v3',
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    sum: 'h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=',
    folder: 'example/prometheus-operator-crd',
  },
] as const

/** Built in its own module, in the version that Prometheus asks for: it does not compile with Prometheus' versions. */
const ALERTMANAGER = 'github.com/prometheus/alertmanager'

/**
 * Prometheus with the service discovery of otel/stack/prometheus.yml and without those of clouds, nothing of this machine in
 * the files, no C compiler needed.
 */
const FLAGS = ['-mod=readonly', '-tags=remove_all_sd,enable_dns_sd', '-trimpath', '-buildvcs=false', '-ldflags=-s -w']

const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' }

const directory = directoryOfPrograms()

if (PROGRAMS.some((program) => missing(program))) build()
console.log(directory)

/** Builds next to the final directory and renames, so that no test finds half a program. */
function build(): void {
  mkdirSync(dirname(directory), { recursive: true })
  const unfinished = mkdtempSync(`${directory}.`)
  const copy = mkdtempSync(join(tmpdir(), 'alertmanager-'))
  try {
    go(SOURCES, 'build', ...FLAGS, '-o', join(unfinished, '/'), ...PACKAGES)
    buildReleasePrograms(unfinished)
    copyAlertmanager(copy)
    go(copy, 'build', ...FLAGS, '-o', join(unfinished, '/'), './cmd/alertmanager', './cmd/amtool')
    go(join(SOURCES, 'charts'), 'build', ...FLAGS, '-o', join(unfinished, '/'), ...FOR_CHARTS)
    copyKubernetesSchemas(join(unfinished, 'schemas'))
    rmSync(directory, { recursive: true, force: true })
    renameSync(unfinished, directory)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error} It needs the Go version in test/programs/go.mod.`)
    process.exitCode = 1
  } finally {
    for (const path of [unfinished, copy]) rmSync(path, { recursive: true, force: true })
  }
}

/** The schemas that validate-sbom reads are in the module of CycloneDX. */
function buildReleasePrograms(target: string): void {
  const sources = join(SOURCES, 'release')
  go(sources, 'build', ...FLAGS, '-o', join(target, '/'), ...RELEASE_PACKAGES)
  const module = go(sources, 'list', '-m', '-f={{.Dir}}', 'github.com/CycloneDX/cyclonedx-go')
  for (const name of SBOM_SCHEMAS) copyFileSync(join(module, 'schema', name), join(target, name))
}

/** Alertmanager's module lacks the web page that it embeds, and Go's downloads are read-only. So a copy gets a page. */
function copyAlertmanager(copy: string): void {
  go(SOURCES, 'mod', 'download', ALERTMANAGER)
  cpSync(go(SOURCES, 'list', '-m', '-f={{.Dir}}', ALERTMANAGER), copy, { recursive: true })
  spawnSync('chmod', ['-R', 'u+w', copy])
  const page = join(copy, 'ui', 'app', 'dist')
  mkdirSync(page)
  writeFileSync(join(page, 'index.html'), 'This Alertmanager was built without its page.\n')
}

function copyKubernetesSchemas(to: string): void {
  for (const { module, sum, folder } of KUBERNETES_SCHEMAS) {
    const found = JSON.parse(go(SOURCES, 'mod', 'download', '-json', module)) as { Dir: string; Sum: string }
    if (found.Sum !== sum) throw new Error(`${module}: its checksum is ${found.Sum}, expected ${sum}.`)
    cpSync(join(found.Dir, folder), to, { recursive: true })
  }
}

/** Runs go in a directory and returns what it printed. Throws when it fails. */
function go(cwd: string, ...args: readonly string[]): string {
  const { status, error, stdout } = spawnSync('go', args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] })
  if (status !== 0) throw new Error(`go ${args[0]} failed${error ? `: ${error.message}` : ''}.`)
  return stdout.toString().trim()
}
