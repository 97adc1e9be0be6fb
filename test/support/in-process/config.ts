import type { Config } from '../../../proxy/settings/config.ts'
import { parseConfig } from '../../../proxy/settings/settings.ts'

/** The configuration that these settings make. Throws with their mistakes. */
export function configOf(env: Readonly<Record<string, string>>): Config {
  const parsed = parseConfig(env)
  if ('mistakes' in parsed) throw new Error(parsed.mistakes.join('\n'))
  return parsed.config
}
