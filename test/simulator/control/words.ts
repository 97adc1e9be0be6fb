/** Times and commands as people read them. */
import type { CommandName } from '../../../proxy/events/closed-sets.ts'
import type { Range } from '../expected-alerts.ts'

const WHERE: Readonly<Partial<Record<CommandName, string>>> = {
  CONNECT: 'in place of the greeting',
  MAIL: 'to MAIL FROM',
  RCPT: 'to RCPT TO',
  'END-OF-MESSAGE': 'to the end of the message',
  UNSOLICITED: 'to an idle connection',
}

/** Where a reply is sent: `to MAIL FROM`. */
export function commandName(command: CommandName): string {
  return WHERE[command] ?? `to ${command}`
}

/** A time span: `42 s`, `3 min 20 s`, `1 h 5 min`. */
export function timeSpan(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`
  if (minutes > 0) return seconds % 60 > 0 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`
  return `${seconds} s`
}

/** A range in its largest unit: `within 1 min`, `after 2 to 5 min`, `after about 6 h`. */
export function rangeText([from, to]: Range): string {
  const [low, high] = [Math.round(from / 60), Math.round(to / 60)]
  if (low === 0) return `within ${high} min`
  if (high > 120) return `after about ${Math.round(high / 60)} h`
  return `after ${low} to ${high} min`
}

/** `14:03:27 UTC`, the time zone of logs and traces. */
export function clock(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(11, 19)} UTC`
}
