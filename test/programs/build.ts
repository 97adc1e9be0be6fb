/** Builds the programs of `test/support/programs.ts`, unless they are built. Exit code 1 when Go cannot. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { directoryOfPrograms, missing, PROGRAMS, SOURCES } from '../support/programs.ts'

const PACKAGES = [
  './collector',
  'github.com/prometheus/prometheus/cmd/prometheus',
  'github.com/prometheus/prometheus/cmd/promtool',
]

/** Prometheus without the service discoveries of clouds, nothing of this machine in the files, no C compiler needed. */
const FLAGS = ['-mod=readonly', '-tags=remove_all_sd', '-trimpath', '-buildvcs=false', '-ldflags=-s -w']

const directory = directoryOfPrograms()

if (PROGRAMS.some((program) => missing(program))) build()
console.log(directory)

/** Builds beside the final place and moves: nobody finds half a program there. */
function build(): void {
  mkdirSync(dirname(directory), { recursive: true })
  const unfinished = mkdtempSync(`${directory}.`)
  const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' }
  const go = ['build', ...FLAGS, '-o', join(unfinished, '/'), ...PACKAGES]
  const { status, error } = spawnSync('go', go, { cwd: SOURCES, env, stdio: 'inherit' })
  if (status === 0) {
    rmSync(directory, { recursive: true, force: true })
    renameSync(unfinished, directory)
    return
  }
  rmSync(unfinished, { recursive: true })
  console.error(`go build failed${error ? `: ${error.message}` : ''}. It needs Go as new as test/programs/go.mod says.`)
  process.exit(1)
}
