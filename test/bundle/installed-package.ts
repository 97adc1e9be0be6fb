/** The npm package as its users get it: packed, and installed into an empty directory without a network. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { build } from '../../bundle/build.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import type { CommandResult } from '../support/processes/proxy-command.ts'
import { observe, type SpawnedProxy } from '../support/processes/proxy-process.ts'

const ROOT = join(import.meta.dirname, '../..')
const NAME = 'ahasend-smtp-proxy'

/** The files that npm reads beside the build. */
const PROJECT = ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE']

type Variables = Readonly<Record<string, string>>

export interface InstalledPackage {
  /** The paths of the files in the package, sorted. */
  readonly files: readonly string[]
  /** The packages in node_modules. */
  readonly packages: readonly string[]
  /** Runs the installed command to its end. `env` is its whole environment, except PATH. */
  run(args: readonly string[], env?: Variables): Promise<CommandResult>
  /** Starts the installed command. It is killed when the package is disposed. */
  start(args: readonly string[], env?: Variables): SpawnedProxy
  [Symbol.dispose](): void
}

/** Builds, packs and installs the package in a temporary directory. Takes about two seconds. */
export async function installPackage(): Promise<InstalledPackage> {
  const work = temporaryDirectory('package-')
  const [project, user] = [join(work.path, 'project'), join(work.path, 'user')]
  await build('package', join(project, 'dist'))
  for (const name of PROJECT) cpSync(join(ROOT, name), join(project, name))
  // without prepack, which would build again
  npm(work.path, project, 'pack', '--ignore-scripts', '--pack-destination', work.path)
  const tarball = join(work.path, readdirSync(work.path).find((name) => name.endsWith('.tgz')) ?? '')
  mkdirSync(user)
  npm(work.path, user, 'install', '--offline', '--ignore-scripts', '--no-audit', tarball)
  const children: ChildProcess[] = []
  const command = (args: readonly string[], env: Variables = {}) => {
    const child = spawn(join(user, 'node_modules/.bin', NAME), args, {
      cwd: user,
      env: { PATH: dirname(process.execPath), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(child)
    return child
  }
  return {
    files: execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n').sort(),
    packages: readdirSync(join(user, 'node_modules')).filter((name) => !name.startsWith('.')),
    async run(args, env) {
      const child = command(args, env)
      const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
      return { code: child.exitCode, stdout, stderr }
    },
    start: (args, env) => observe(command(args, env), 40_000),
    [Symbol.dispose]() {
      for (const child of children) child.kill('SIGKILL')
      work.remove()
    },
  }
}

/** Runs npm with a cache of its own, so that nothing comes from an earlier download. */
function npm(home: string, cwd: string, ...args: readonly string[]): void {
  const env = { PATH: process.env.PATH, HOME: home, npm_config_update_notifier: 'false', npm_config_logs_max: '0' }
  execFileSync('npm', [...args, '--silent'], { cwd, env, stdio: ['ignore', 'ignore', 'inherit'] })
}
