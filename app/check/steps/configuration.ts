/** Checks the settings: those in the environment, and the names in the settings file of Compose. */
import { parseEnv } from 'node:util'
import { ALERT_ROWS } from '../../../dashboards/alertmanager/settings.ts'
import { STACK_VARIABLES } from '../../../dashboards/alertmanager/stack-variables.ts'
import { unknownOtelVariables } from '../../../otel/settings/checks.ts'
import { foreignVariables, misspelledVariables } from '../../../proxy/settings/checks.ts'
import type { Environment } from '../../../settings/environment.ts'
import { unknownNames } from '../../../settings/names.ts'
import type { ReadText } from '../../../settings/readers.ts'
import { unknownProbeNames } from '../../probe/settings.ts'
import { HELP } from './help.ts'
import { failed, note, type Outcome, ok, type Step } from './step.ts'

const GROUP = 'Configuration'
const ALERT_NAMES = ALERT_ROWS.map(({ variable }) => variable)

/** The settings file of Compose. `env` is undefined if it cannot be read. */
export interface SettingsFile {
  readonly path: string
  readonly env: Environment | undefined
  /** The system's error code, if the file cannot be read. */
  readonly code?: string
}

/** Reads SETTINGS_FILE, or `.env` in the current directory. */
export function readSettingsFile(env: Environment, readText: ReadText): SettingsFile {
  const path = env.SETTINGS_FILE?.trim() || '.env'
  try {
    return { path, env: parseEnv(readText(path)) }
  } catch (error) {
    return { path, env: undefined, code: String((error as NodeJS.ErrnoException).code ?? 'unreadable') }
  }
}

/** The settings of the environment, which are valid: the warnings about them. */
export function settingsStep(warnings: readonly string[]): Step {
  const lines = warnings.map((warning) => `warning: ${warning}`)
  return { group: GROUP, title: 'configuration', run: () => ok('all settings of the environment are valid', lines) }
}

/** The settings of the environment, which are not valid. */
export function mistakesStep(mistakes: readonly string[]): Step {
  const text = `${mistakes.length} ${mistakes.length === 1 ? 'setting is' : 'settings are'} wrong`
  const run = () =>
    failed(text, { details: mistakes, next: 'Correct these settings.', see: HELP.settings, misconfigured: true })
  return { group: GROUP, title: 'configuration', run }
}

/** The names in the settings file. Compose ignores a name that compose.yaml does not mention, without a message. */
export function settingsFileStep(file: SettingsFile): Step {
  return { group: GROUP, title: `settings file ${file.path}`, run: () => namesIn(file) }
}

function namesIn({ env, code }: SettingsFile): Outcome {
  if (!env) return note(code === 'ENOENT' ? 'there is none, so Compose uses the defaults' : `cannot be read (${code})`)
  const [alerts, stack, probe] = [
    unknownNames(env, ALERT_NAMES),
    unknownNames(env, STACK_VARIABLES),
    unknownProbeNames(env),
  ]
  const misspelled = [...misspelledVariables(env), ...alerts.misspelled, ...stack.misspelled, ...probe.misspelled]
  const foreign = [...alerts.foreign, ...probe.foreign]
  const warnings = [
    ...foreignVariables(env),
    ...unknownOtelVariables(env),
    ...(foreign.length > 0 ? [`${foreign.join(', ')}: unknown and ignored.`] : []),
  ].map((warning) => `warning: ${warning}`)
  if (misspelled.length === 0) return ok('all names are known. Only Compose reads this file', warnings)
  return failed('it contains misspelled names, which Compose ignores without a message', {
    details: [...misspelled, ...warnings],
    next: 'Correct the names in the file.',
    see: HELP.settings,
    misconfigured: true,
  })
}
