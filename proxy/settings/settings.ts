import { readFileSync } from 'node:fs'
import type { Environment } from '../../settings/tables.ts'
import { contradictions, misspelledVariables, type ReadValues } from './checks.ts'
import type { Config } from './config.ts'
import { badFiles, type ReadText } from './files.ts'
import { EXIT_MS } from './stop-grace.ts'
import { durationText, ROWS, SETTINGS, type Setting, type Values } from './table.ts'
import { mistake } from './values.ts'
import { plainTextPasswords } from './warnings.ts'

export { foreignVariables, misspelledVariables } from './checks.ts'
export { configTable, helpText } from './help.ts'

/** The configuration, or everything that is wrong with it: one or two sentences per mistake, without secrets. */
export type ParsedConfig = { readonly config: Config } | { readonly mistakes: readonly string[] }

/**
 * Reads the configuration from the environment and the files it names, and freezes it. Returns all mistakes at once;
 * each names the variable, its value, what is expected and what to do. Never throws. Reads files synchronously, because
 * it runs before the proxy serves anything. Tests replace the file system with `readText`.
 */
export function parseConfig(env: Environment, readText: ReadText = (path) => readFileSync(path, 'utf8')): ParsedConfig {
  const { values, mistakes: unreadable } = readValues(env)
  const mistakes = [
    ...unreadable,
    ...misspelledVariables(env),
    ...contradictions(values),
    ...badFiles(values, readText),
  ]
  return mistakes.length > 0 ? { mistakes } : { config: frozen(toConfig(values as Values)) }
}

/** Warnings about settings that are allowed but probably a mistake, for the log at start and for `check`. */
export function configWarnings(config: Config): string[] {
  return [...plainTextPasswords(config), ...shortIdleTimeout(config), ...shortStopGrace(config)]
}

function shortIdleTimeout({ idleTimeoutMs }: Config): string[] {
  if (idleTimeoutMs > AHASEND_IDLE_MS) return []
  return [
    `${SETTINGS.idleTimeoutMs.variable}: ${durationText(idleTimeoutMs)} is not above the 60s of AhaSend: applications ` +
      "with idle sessions will see the proxy's 421 instead of AhaSend's. Set more than 60s.",
  ]
}

function shortStopGrace({ drainTimeoutMs, stopGraceMs }: Config): string[] {
  if (stopGraceMs >= drainTimeoutMs + EXIT_MS) return []
  const [drain, least] = [SETTINGS.drainTimeoutMs.variable, drainTimeoutMs + EXIT_MS]
  return [
    `${SETTINGS.stopGraceMs.variable}: ${durationText(stopGraceMs)} is not ${durationText(EXIT_MS)} above ${drain}: the ` +
      `supervisor may kill the proxy while messages are in flight. Set at least ${durationText(least)}, or lower ${drain}.`,
  ]
}

/** AhaSend closes a connection after this time without data (https://ahasend.com/docs/smtp). */
const AHASEND_IDLE_MS = 60_000

/** The values in effect by variable, for the start log line; settings without a value are left out. */
export function describeConfig(config: Config): Record<string, string | number> {
  const described: Record<string, string | number> = {}
  for (const { variable, effective } of ROWS) {
    const value = effective(config)
    if (value !== undefined) described[variable] = value
  }
  return described
}

function readValues(env: Environment): { readonly values: ReadValues; readonly mistakes: readonly string[] } {
  const mistakes: string[] = []
  const entries = Object.entries<Setting<unknown>>(SETTINGS).flatMap(([key, setting]) => {
    const reading = setting.read(env[setting.variable]?.trim() || setting.default)
    if ('value' in reading) return [[key, reading.value]]
    mistakes.push(...reading.faults.map((fault) => mistake(setting.variable, fault, setting.default || undefined)))
    return []
  })
  return { values: Object.fromEntries(entries), mistakes }
}

function toConfig({ upstreamCaFile, certFile, keyFile, ciphers, admin, ...values }: Values): Config {
  return {
    ...values,
    ...(upstreamCaFile === undefined ? {} : { upstreamCaFile }),
    ...(certFile === undefined || keyFile === undefined ? {} : { tls: { certFile, keyFile, ciphers } }),
    ...(admin === undefined ? {} : { admin }),
  }
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(frozen)
  }
  return value
}
