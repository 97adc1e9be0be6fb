/** The settings that the environment holds: those of the proxy (`PROXY_*`) and those of OpenTelemetry (`OTEL_*`). */
import { ignoredVariables, otelWarnings, unknownOtelVariables } from '../otel/settings/checks.ts'
import type { OtelSettings } from '../otel/settings/effective.ts'
import { describeOtel, parseOtel } from '../otel/settings/settings.ts'
import packageJson from '../package.json' with { type: 'json' }
import { fitDefault, ownOpenFilesLimit } from '../proxy/server/fd-limit.ts'
import { ADMIN_IN_COMPOSE } from '../proxy/settings/addresses.ts'
import { foreignVariables, misspelledVariables } from '../proxy/settings/checks.ts'
import type { Config } from '../proxy/settings/config.ts'
import { describeConfig, parseConfig } from '../proxy/settings/settings.ts'
import { SETTINGS } from '../proxy/settings/table.ts'
import { configWarnings } from '../proxy/settings/warnings.ts'
import { type Environment, isSet } from '../settings/environment.ts'

export interface Settings {
  readonly config: Config
  readonly otel: OtelSettings
}

/** Reads all settings. Returns every mistake if there is one. */
export function readSettings(env: Environment): Settings | { readonly mistakes: readonly string[] } {
  const proxy = parseConfig(env)
  const otel = parseOtel(env)
  if ('config' in proxy && 'settings' in otel) {
    return { config: fitDefault(proxy.config, env, ownOpenFilesLimit()), otel: otel.settings }
  }
  return { mistakes: [proxy, otel].flatMap((parsed) => ('mistakes' in parsed ? parsed.mistakes : [])) }
}

/** Settings that are valid but probably not intended. */
export function warningsOf({ config, otel }: Settings, env: Environment): string[] {
  return [...foreignVariables(env), ...configWarnings(config), ...otelWarnings(otel, env)]
}

/**
 * Checks the names of the variables, in the container of compose.yaml. Their values may be missing there. Only
 * PROXY_ADMIN must have the value of compose.yaml or of the image.
 */
export function checkNames(env: Environment): { readonly mistakes: readonly string[]; readonly warnings: string[] } {
  return {
    mistakes: [...misspelledVariables(env), ...changedAdmin(env)],
    warnings: [...foreignVariables(env), ...unknownOtelVariables(env)],
  }
}

/** A mistake if PROXY_ADMIN differs from the address that compose.yaml sets, because Compose would ignore it silently. */
function changedAdmin(env: Environment): string[] {
  const { variable, inImage = '' } = SETTINGS.admin
  // without a value in the settings file, the container has that of the image
  if (!isSet(variable, env) || [ADMIN_IN_COMPOSE, inImage].includes(env[variable] ?? '')) return []
  return [
    `${variable}: remove it from the settings file. compose.yaml always sets ${ADMIN_IN_COMPOSE}, so that Prometheus ` +
      'reaches the admin server and apps do not.',
  ]
}

/** The versions and the settings in effect, without secrets. */
export function describeSettings({ config, otel }: Settings, env: Environment): object {
  const ignored = ignoredVariables(env)
  return {
    version: packageJson.version,
    node: process.version,
    config: { ...describeConfig(config), ...describeOtel(otel) },
    ...(ignored.length > 0 && { ignored }),
  }
}
