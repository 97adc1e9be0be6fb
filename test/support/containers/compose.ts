/** Reads compose.yaml with Compose itself. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROBE_ROWS } from '../../../app/probe/settings.ts'
import { OTEL_ROWS, OTLP_SETTINGS, ownVariable, SIGNALS } from '../../../otel/settings/table.ts'
import { SETTINGS } from '../../../proxy/settings/table.ts'
import { temporaryDirectory } from '../files/temporary-files.ts'
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
  readonly user?: string
  readonly environment?: Readonly<Record<string, string | null>>
  readonly ports?: readonly Port[]
  readonly volumes?: readonly {
    readonly type: string
    readonly source: string
    readonly target: string
    readonly read_only?: boolean
  }[]
  readonly networks?: Readonly<Record<string, unknown>>
  readonly network_mode?: string
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
  readonly depends_on?: Readonly<
    Record<string, { readonly condition: string; readonly required: boolean; readonly restart?: boolean }>
  >
}

export interface Project {
  readonly name: string
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

export interface Reading {
  /** The settings of .env. Default: none. A real .env next to compose.yaml is not read. */
  readonly env?: Readonly<Record<string, string>>
  /** Env files to read before `env`. One of them must set SETTINGS_FILE. */
  readonly envFiles?: readonly string[]
  /** Default: compose.yaml. */
  readonly files?: readonly string[]
  /** The directory in which Compose runs. Default: the root of the project. */
  readonly cwd?: string
}

/** Compose builds the images with these files. */
export const BUILDING = ['compose.yaml', 'compose.build.yaml'] as const

/** This environment without settings of the person who runs the tests. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const kept = /^(PATH|HOME|DOCKER_.*|TESTCONTAINERS_.*)$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.test(name)))
}

/** The project that Compose reads from its files. Throws with Compose's message when it refuses them. */
export function readProject({ env = {}, envFiles = [], files = ['compose.yaml'], cwd }: Reading = {}): Project {
  using directory = temporaryDirectory('compose-')
  const own = join(directory.path, 'env')
  writeFileSync(own, envFileOf({ ...(envFiles.length === 0 && { SETTINGS_FILE: own }), ...env }))
  const envs = [...envFiles.map((name) => join(ROOT, name)), own].flatMap((name) => ['--env-file', name])
  const args = ['compose', ...fileArguments(files), ...envs, 'config', '--format', 'json']
  return JSON.parse(dockerOutput(args, { env: plainEnvironment(), ...(cwd && { cwd }) })) as Project
}

/** The arguments with which `docker compose` reads these files. */
export function fileArguments(files: readonly string[]): string[] {
  return files.flatMap((file) => ['--file', file])
}

/** The text of a file like .env with these settings. */
export function envFileOf(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join('')
}

/** The settings in a file like .env, including those that are commented out with a #. */
export function settingsIn(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/^#?([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]))
}

/** The variables in a Compose file of the form ${NAME:-default} or ${NAME-default}, with their defaults. */
export function variablesIn(composeFile: string): ReadonlyMap<string, string> {
  return new Map(
    [...composeFile.matchAll(/\$\{([A-Z0-9_]+):?-([^}]*)\}/g)].map(([, name = '', value = '']) => [name, value]),
  )
}

/** The variables of compose.yaml, and those that only compose.build.yaml has, with their defaults. */
export function stackVariables(): ReadonlyMap<string, string> {
  const texts = BUILDING.map((file) => readFileSync(join(ROOT, file), 'utf8'))
  return variablesIn(texts.toReversed().join('\n'))
}

/** The service that writes a file and exits. */
export const ONCE = 'alertmanager-config'

/** The service that copies the configuration of Prometheus, Tempo and Grafana and exits. */
export const MONITORING = 'monitoring-config'

/** The service that reports misspelled names of the proxy's settings and exits. */
export const NAMES = 'proxy-names'

/** The service that reports misspelled names of the probe's settings and exits. */
export const PROBE_NAMES = 'probe-names'

/** The services that run a program and exit. */
export const EXITING: readonly string[] = [ONCE, MONITORING, NAMES, PROBE_NAMES]

/** The settings with which Compose also reads the services of the probe. */
export const WITH_PROBE = { COMPOSE_PROFILES: 'probe' }

/** Settings that .env cannot change: compose.yaml sets them. */
export const FIXED = ['PROXY_ADMIN', 'PROBE_METRICS']

/** The listeners of the proxy in compose.yaml: that of the image, and one for the probe. */
export const LISTENERS = 'smtp://0.0.0.0:2525,smtp://0.0.0.0:2599?client=probe'

/** The settings of the probe that .env may contain. */
export const PROBE_VARIABLES = PROBE_ROWS.map(({ variable }) => variable).filter((name) => !FIXED.includes(name))

/** The settings of the proxy and its telemetry that .env may contain. */
export const PROXY_VARIABLES = [
  ...Object.values(SETTINGS).map(({ variable }) => variable),
  ...OTEL_ROWS.map(({ variable }) => variable),
  ...SIGNALS.flatMap((signal) => Object.values(OTLP_SETTINGS).map((row) => ownVariable(row, signal))),
].filter((variable) => !FIXED.includes(variable))

/** All services by their names. */
export function services(project: Project): readonly (readonly [string, Service])[] {
  return Object.entries(project.services)
}

/** Whether a variable is one of the proxy's. */
export function isOfProxy(name: string): boolean {
  return /^(PROXY|OTEL)_/.test(name)
}

/** Whether a variable is one of the probe's. */
export function isOfProbe(name: string): boolean {
  return name.startsWith('PROBE_')
}

/** The environment of a service's container, without variables that have no value. */
export function given(service: Service | undefined): Readonly<Record<string, string>> {
  const entries = Object.entries(service?.environment ?? {})
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === null ? [] : [[name, value]])))
}

/** The variables with these names in a service's environment. */
export function only(service: Service | undefined, names: readonly string[]): Readonly<Record<string, string | null>> {
  const entries = Object.entries(service?.environment ?? {})
  return Object.fromEntries(entries.filter(([name]) => names.includes(name)))
}

/** The ports that each service publishes on this machine: ADDRESS:PORT:PORT_INSIDE. */
export function published(project: Project): Readonly<Record<string, readonly string[]>> {
  const shown = ({ host_ip, published, target }: Port) => `${host_ip}:${published}:${target}`
  return Object.fromEntries(services(project).flatMap(([name, { ports }]) => (ports ? [[name, ports.map(shown)]] : [])))
}

/** The text of a file of the project. */
export function textOf(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8')
}
