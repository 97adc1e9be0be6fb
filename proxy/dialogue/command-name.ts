import type { CommandName } from '../events/events.ts'
import type { Verb } from '../smtp/command.ts'

/** The verbs that telemetry counts by name: a closed set. */
const NAMED: ReadonlySet<string> = new Set<CommandName>([
  'EHLO',
  'HELO',
  'STARTTLS',
  'AUTH',
  'MAIL',
  'RCPT',
  'DATA',
  'BDAT',
  'RSET',
  'NOOP',
  'VRFY',
  'QUIT',
])

/** The name under which telemetry counts a verb: its own, or `OTHER`. */
export function commandName(verb: Verb): CommandName {
  return NAMED.has(verb) ? (verb as CommandName) : 'OTHER'
}
