/** The log lines of a start. */
import { openFilesNote, ownOpenFilesLimit } from '../proxy/server/fd-limit.ts'
import type { Bound } from '../proxy/server/server.ts'
import type { Environment } from '../settings/environment.ts'
import { describeSettings, type Settings, warningsOf } from './settings.ts'

/** The part of the logger that these lines need. */
interface StartLog {
  info(fields: object, message: string): void
  warn(message: string): void
  warn(fields: object, message: string): void
}

/** Logs the settings in effect, and a warning for each one that is probably not intended. */
export function logStart(log: StartLog, settings: Settings, env: Environment): void {
  log.info(describeSettings(settings, env), 'start')
  for (const warning of warningsOf(settings, env)) log.warn(warning)
  const note = openFilesNote(settings.config, env, ownOpenFilesLimit())
  if (note) log[note.level](note.facts, note.message)
}

/** Logs one line per listener: the configured URL, and the address and the port that the system assigned. */
export function logListeners(log: StartLog, bound: readonly Bound[]): void {
  for (const { listener, address, port } of bound) log.info({ listener: listener.url, address, port }, 'listening')
}
