import { type CommandName, commands } from '../events/closed-sets.ts'
import type { Verb } from '../smtp/command.ts'

const COUNTED: ReadonlySet<string> = new Set(commands)

/** The name under which telemetry counts a verb: the verb itself, or `OTHER`. */
export function commandName(verb: Verb): CommandName {
  return COUNTED.has(verb) ? (verb as CommandName) : 'OTHER'
}
