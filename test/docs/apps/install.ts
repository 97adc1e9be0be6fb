/**
 * `npm run apps`: installs the libraries that the test of docs/app-snippets.md uses, and that are missing. Each is
 * installed beside its directory and renamed, so that no test finds half of it. Exits with 1 if one cannot be installed.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { isInstalled, LIBRARIES, LISTS, type Library } from './libraries.ts'

function install({ name, directory, install }: Library): void {
  mkdirSync(dirname(directory), { recursive: true })
  const target = mkdtempSync(`${directory}.`)
  try {
    run(name, install, { TARGET: target })
    renameSync(target, directory)
  } finally {
    rmSync(target, { recursive: true, force: true })
  }
}

function run(name: string, script: string, env: Readonly<Record<string, string>>): void {
  const options = { cwd: LISTS, env: { ...process.env, ...env } }
  const { status, error } = spawnSync('sh', ['-ec', script], { ...options, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`${name} could not be installed: ${error?.message ?? `exit code ${status}`}`)
}

for (const library of LIBRARIES.filter((one) => !isInstalled(one))) attempt(() => install(library))
// Go keeps what it downloads in its own cache
attempt(() => run('go-mail', 'go mod download', {}))

function attempt(action: () => void): void {
  try {
    action()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
