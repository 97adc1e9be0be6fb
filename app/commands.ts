/** The commands as the terminal shows them: the short help, the full help, one command, and the error for an unknown one. */
import { settingsHelp } from '../proxy/settings/help.ts'
import { type Documented, helpEntries } from '../settings/documentation.ts'
import { nearestWord } from '../settings/names.ts'
import type { ExitCode } from './exit-code.ts'
import { PROGRAM, SYNOPSIS } from './program.ts'

/** What the help and the manual page say about a command. */
export interface CommandText {
  /** Empty for the command that needs no name. */
  readonly name: string
  readonly aliases?: readonly string[]
  /** The arguments that it accepts, for the help. A command without it accepts none. */
  readonly parameters?: string
  /** What it does, in one line. */
  readonly purpose: string
  /** More lines for its own help: options, output and exit codes. */
  readonly details?: string
  /** The settings that only this command reads. */
  readonly settings?: readonly Documented[]
}

/** One row of the table in main.ts. */
export interface Command extends CommandText {
  readonly run: (args: readonly string[]) => Promise<ExitCode> | ExitCode
}

const USAGE = `Usage: ${SYNOPSIS}`

/** The settings that most installations change. */
const MOST_USED = `Settings are environment variables, all optional. The most used:

  PROXY_LISTEN                 addresses to listen on (default: smtp://127.0.0.1:2525)
  PROXY_UPSTREAM               servers to send mail to (default: smtp://send.ahasend.com:587)
  PROXY_TLS_CERT_FILE          certificate for STARTTLS and smtps://, with PROXY_TLS_KEY_FILE
  PROXY_ALLOW                  networks whose clients may connect (default: private networks)
  PROXY_CLIENTS                names for client networks, in metrics and alerts
  OTEL_EXPORTER_OTLP_ENDPOINT  collector to send traces to (default: none)

\`help all\` explains every setting, \`help COMMAND\` one command. See also README.md and docs/.`

const SYNTAX = `Settings are environment variables. All are optional, and an empty one counts as unset. Write durations like
250ms, 10s, 5m or 1m30s.`

/** The exit codes of the proxy itself. */
export const EXIT_CODES = `Exit codes: 0 after a drain; 1 if a listener cannot be opened or is lost, after a second signal, or after a
crash; 2 on a bad configuration.`

/** The command of this name or alias. */
export function commandNamed(name: string, commands: readonly Command[]): Command | undefined {
  return commands.find((command) => command.name === name || command.aliases?.includes(name))
}

/**
 * The text of `help ARGS`: without arguments, a text for one screen; for `all`, every setting; for a command, its own help.
 * Undefined for other arguments. `more` are settings that other modules read.
 */
export function helpFor(
  args: readonly string[],
  commands: readonly Command[],
  more: readonly Documented[],
): string | undefined {
  const [topic, ...rest] = args
  if (rest.length > 0) return undefined
  const list = `${USAGE}\n\n${commandList(commands)}`
  if (topic === undefined) return `${list}\n\n${MOST_USED}\n`
  if (topic === 'all') return `${[list, SYNTAX, settingsHelp(more), EXIT_CODES].join('\n\n')}\n`
  const command = commandNamed(topic, commands)
  return command && commandHelp(command)
}

/** Three lines about arguments that no command accepts, with the command that they may mean. */
export function unknownCommand(args: readonly string[], commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name).filter(Boolean)
  const unknown = args.find((arg) => !commandNamed(arg, commands)) ?? ''
  const nearest = nearestWord(unknown.replace(/^-+/, ''), names)
  return [
    `unknown arguments: ${args.join(' ')}`,
    nearest === undefined ? `The commands are ${names.join(', ')}.` : `Did you mean ${nearest}?`,
    `\`${PROGRAM} --help\` shows the commands and the most used settings.`,
  ].join('\n')
}

function commandList(commands: readonly Command[]): string {
  const synopses = commands.map(({ name, parameters }) => [name || '(nothing)', parameters].filter(Boolean).join(' '))
  const width = Math.max(...synopses.map(({ length }) => length))
  return commands.map(({ purpose }, index) => `  ${synopses[index]?.padEnd(width)}  ${purpose}`).join('\n')
}

function commandHelp({ name, aliases, parameters, purpose, details, settings }: Command): string {
  const usage = [`Usage: ${PROGRAM}`, name, parameters].filter(Boolean).join(' ')
  const others = aliases && `Also: ${aliases.join(', ')}`
  const more = settings && `\n${helpEntries(settings)}`
  return `${[usage, '', sentence(purpose), details, more, others].filter((line) => line !== undefined).join('\n')}\n`
}

/** A purpose as a sentence. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
