import type { Environment } from '../../settings/environment.ts'
import type { ReadText } from '../../settings/readers.ts'
import { defined, parse, type Values, valuesInEffect } from '../../settings/table.ts'
import { contradictions, misspelledVariables } from './checks.ts'
import type { Config } from './config.ts'
import { SETTINGS } from './table.ts'

/** The configuration, or everything that is wrong with it: one or two sentences per mistake, without secrets. */
export type ParsedConfig = { readonly config: Config } | { readonly mistakes: readonly string[] }

/** Reads the configuration from the environment and the files it names, as `parse` does, and freezes it. */
export function parseConfig(env: Environment, readText?: ReadText): ParsedConfig {
  const parsed = parse(SETTINGS, env, {
    check: (values) => [...misspelledVariables(env), ...contradictions(values, env)],
    readText,
  })
  return 'mistakes' in parsed ? parsed : { config: frozen(toConfig(parsed.values)) }
}

/** The values in effect by variable, for the start log line. */
export function describeConfig(config: Config): Record<string, string | number | boolean> {
  return valuesInEffect(SETTINGS, config)
}

function toConfig(values: Values<typeof SETTINGS>): Config {
  const { upstreamCaFile, certFile, keyFile, ciphers, admin, ...others } = values
  const tls = certFile && keyFile && { certFile: certFile.path, keyFile: keyFile.path, ciphers }
  return { ...others, ...defined({ upstreamCaFile: upstreamCaFile?.path, tls, admin }) }
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(frozen)
  }
  return value
}
