/** compose.yaml as Compose itself reads it, with and without settings. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dockerOutput, ROOT } from './engine.ts'

export interface Port {
  readonly host_ip?: string
  readonly published?: string
  readonly target: number
}

export interface Service {
  readonly image: string
  readonly build?: {
    readonly context: string
    readonly dockerfile: string
    readonly args: Readonly<Record<string, string>>
  }
  readonly command: readonly string[] | null
  readonly environment?: Readonly<Record<string, string | null>>
  readonly ports?: readonly Port[]
  readonly volumes?: readonly {
    readonly type: string
    readonly source: string
    readonly target: string
    readonly read_only?: boolean
  }[]
  readonly networks?: Readonly<Record<string, unknown>>
  readonly cap_drop?: readonly string[]
  readonly cap_add?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly privileged?: boolean
  readonly read_only?: boolean
  readonly restart?: string
  readonly mem_limit?: string
  readonly pids_limit?: number
  readonly pull_policy?: string
  readonly logging?: { readonly driver: string }
  readonly stop_grace_period?: string
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly depends_on?: Readonly<Record<string, { readonly condition: string; readonly required: boolean }>>
}

export interface Project {
  readonly name: string
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

export interface Reading {
  /** What .env says; by default nothing, whatever lies beside compose.yaml. */
  readonly env?: Readonly<Record<string, string>>
  /** Files with settings, before `env`. */
  readonly envFiles?: readonly string[]
  readonly file?: string
}

/** The environment without settings of whoever runs the tests. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const kept = /^(PATH|HOME|DOCKER_.*|TESTCONTAINERS_.*)$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.test(name)))
}

/** The project that Compose makes of its files. Throws with Compose's own words when it refuses them. */
export function readProject({ env = {}, envFiles = [], file = 'compose.yaml' }: Reading = {}): Project {
  const directory = mkdtempSync(join(tmpdir(), 'compose-'))
  try {
    const own = join(directory, 'env')
    writeFileSync(
      own,
      Object.entries(env)
        .map(([name, value]) => `${name}='${value}'\n`)
        .join(''),
    )
    const files = [...envFiles.map((name) => join(ROOT, name)), own].flatMap((name) => ['--env-file', name])
    const args = ['compose', '--file', file, ...files, 'config', '--format', 'json']
    return JSON.parse(dockerOutput(args, { env: plainEnvironment() })) as Project
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The settings of a file like .env, and those of .env.example that stand behind a #. */
export function settingsIn(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/^#?([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]))
}

/** The variables that compose.yaml asks for as ${NAME:-default} or ${NAME-default}. */
export function variablesIn(composeFile: string): ReadonlyMap<string, string> {
  return new Map(
    [...composeFile.matchAll(/\$\{([A-Z0-9_]+):?-([^}]*)\}/g)].map(([, name = '', value = '']) => [name, value]),
  )
}
