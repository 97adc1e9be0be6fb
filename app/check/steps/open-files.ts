/** Checks whether the limit of open files allows PROXY_MAX_SESSIONS sessions. */
import { openFilesNote } from '../../../proxy/server/fd-limit.ts'
import type { Config } from '../../../proxy/settings/config.ts'
import type { Environment } from '../../../settings/environment.ts'
import { note, type Outcome, ok, type Step } from './step.ts'

/** `limit` is that of this process: a service manager may give the proxy another one. */
export function openFilesStep(config: Config, env: Environment, limit: number): Step {
  return { group: 'Machine', title: 'open files', run: () => compare(config, env, limit) }
}

function compare(config: Config, env: Environment, limit: number): Outcome {
  const found = openFilesNote(config, env, limit)
  if (!found) {
    const allowed = limit === Number.POSITIVE_INFINITY ? 'no limit' : `a limit of ${limit}`
    return ok(`${allowed}, enough for ${config.maxSessions} sessions`)
  }
  const { needed, advice } = found.facts
  return note(`${found.message}: ${found.facts.sessions} sessions, limit ${limit}, needed ${needed}`, [
    `To allow more sessions, ${advice}. This is the limit of the check; that of the proxy may differ.`,
  ])
}
