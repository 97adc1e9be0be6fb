/** A project that uses compose.yaml from elsewhere. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { type Project, plainEnvironment } from './compose.ts'
import { docker } from './engine.ts'

/** The limit of a command that starts containers. */
const LIMIT_MS = 180_000

type Env = Readonly<Record<string, string>>

/** A directory with a compose.yaml and a .env, and with its own cache of what Compose loads from elsewhere. */
export class OtherProject {
  readonly #directory = temporaryDirectory('other-project-')
  readonly #env: Env
  readonly path = this.#directory.path
  readonly cache = join(this.path, 'cache')
  readonly settingsFile = join(this.path, '.env')

  /** `env` is for every command. */
  constructor(env: Env) {
    this.#env = { XDG_CACHE_HOME: this.cache, ...env }
  }

  /** Writes the .env. */
  set(settings: Env): void {
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
    writeFileSync(this.settingsFile, lines.join(''))
  }

  /** Writes a compose.yaml that includes another one. */
  include(address: string, services: object = {}): void {
    writeFileSync(join(this.path, 'compose.yaml'), JSON.stringify({ include: [address], services }))
  }

  compose(args: readonly string[], env: Env = {}): ReturnType<typeof docker> {
    const project = ['compose', '--project-name', `ahasend-other-${process.pid}`]
    const options = { env: { ...plainEnvironment(), ...this.#env, ...env }, cwd: this.path, ms: LIMIT_MS }
    return docker([...project, ...args], options)
  }

  /** The output of `docker compose`, which must succeed. */
  output(args: readonly string[], env: Env = {}): string {
    const { ok, stdout, stderr } = this.compose(args, env)
    assert.ok(ok, `${args.join(' ')}: ${stdout}${stderr}`)
    return stdout
  }

  /** The project that Compose reads. */
  read(...args: readonly string[]): Project {
    return JSON.parse(this.output([...args, 'config', '--format', 'json'])) as Project
  }

  remove(): void {
    this.#directory.remove()
  }
}
