/** The commands. This folder is the only one that connects the proxy to telemetry. */
import { readFileSync } from 'node:fs'
import { createLogger, type LogOutput } from '../otel/export/logger.ts'
import { uncounted } from '../otel/export/losses.ts'
import { type Sdk, start } from '../otel/sdk.ts'
import { OTEL_ROWS } from '../otel/settings/table.ts'
import packageJson from '../package.json' with { type: 'json' }
import { clientNames } from '../proxy/settings/client-names.ts'
import { showsColours } from '../status/tail/text.ts'
import { Appliance } from './appliance.ts'
import { check } from './check/check.ts'
import { COMMAND_TEXTS } from './command-texts.ts'
import { type Command, commandNamed, helpFor, unknownCommand } from './commands.ts'
import { EXIT, type ExitCode } from './exit-code.ts'
import { probe } from './probe/probe.ts'
import { PROBE_ROWS } from './probe/settings.ts'
import { rehearsalCommands } from './rehearsal.ts'
import { checkNames, readSettings, type Settings, warningsOf } from './settings.ts'
import { onSignals } from './signals.ts'
import { tail } from './tail.ts'

/** How long the process waits at its end until all log lines are written. */
const FLUSH_MS = 1000

/** The settings that `help all` explains, besides those of the proxy. */
const MORE_ROWS = [...OTEL_ROWS, ...PROBE_ROWS]

/** Every command: the help, the names and the errors come from this table. */
const COMMANDS: readonly Command[] = [
  { ...COMMAND_TEXTS.run, run },
  { ...COMMAND_TEXTS.check, run: runCheck },
  { ...COMMAND_TEXTS.checkNames, run: runCheckNames },
  { ...COMMAND_TEXTS.tail, run: (args) => tail(args, process.env) },
  { ...COMMAND_TEXTS.probe, run: runProbe },
  ...rehearsalCommands(),
  { ...COMMAND_TEXTS.help, run: (args) => print(helpFor(args, COMMANDS, MORE_ROWS)) },
  { ...COMMAND_TEXTS.version, run: () => print(`${packageJson.version}\n`) },
]

async function run(): Promise<ExitCode> {
  // one turn of the event loop: a signal that app/entry.js received during loading ends the process before it listens
  await new Promise(setImmediate)
  const settings = settingsOrMistakes()
  if (!settings) return EXIT.misconfigured
  const { config, otel } = settings
  let output: LogOutput | undefined
  const sdk: Sdk = start({
    servers: [...new Set(config.upstreams.map(({ host }) => host))],
    listeners: config.listeners.map(({ url }) => url),
    clients: clientNames(config),
    settings: otel,
    slowMs: config.slowMs,
    warn: (fields, message) => output?.logger.warn(fields, message),
  })
  output = createLogger({ level: config.logLevel, losses: sdk.losses, ...(sdk.emit && { emit: sdk.emit }) })
  const code = await new Appliance(settings, sdk, output).run()
  await output.flush(FLUSH_MS)
  return code
}

/** Ctrl-C ends the check: it then shows what it found so far. npm may deliver the signal twice. */
function runCheck(args: readonly string[]): Promise<ExitCode> {
  const interrupt = new AbortController()
  process.on('SIGINT', () => interrupt.abort())
  return check({
    args,
    env: process.env,
    readSettings(env) {
      const settings = readSettings(env)
      return 'mistakes' in settings ? settings : { ...settings, warnings: warningsOf(settings, env) }
    },
    print: (line) => console.log(line),
    terminal: {
      colours: showsColours(process.stdout.isTTY === true, process.env),
      width: process.stdout.columns,
    },
    printError: (line) => console.error(line),
    signal: interrupt.signal,
  })
}

/** A signal stops the probe. A second one ends it immediately. */
async function runProbe(args: readonly string[]): Promise<ExitCode> {
  const stop = new AbortController()
  onSignals({ drain: () => stop.abort(), stop: () => process.exit(EXIT.failed), reload: () => {} })
  const output = createLogger({ level: 'info', losses: uncounted })
  const code = await probe({
    args,
    env: process.env,
    version: packageJson.version,
    readText: (path) => readFileSync(path, 'utf8'),
    log: output.logger,
    printError: (line) => console.error(line),
    stop: stop.signal,
  })
  await output.flush(FLUSH_MS)
  return code
}

/** compose.yaml runs it in a container whose environment is the whole settings file. */
function runCheckNames(): ExitCode {
  const { mistakes, warnings } = checkNames(process.env)
  for (const mistake of mistakes) console.error(mistake)
  for (const warning of warnings) console.log(`warning: ${warning}`)
  return mistakes.length === 0 ? EXIT.ok : EXIT.misconfigured
}

/** The settings, or undefined after all mistakes were printed. */
function settingsOrMistakes(): Settings | undefined {
  const settings = readSettings(process.env)
  if (!('mistakes' in settings)) return settings
  for (const mistake of settings.mistakes) console.error(mistake)
  return undefined
}

/** Prints `text`, or for undefined the error for the arguments of the process. */
function print(text: string | undefined): ExitCode {
  if (text === undefined) return refuse()
  process.stdout.write(text)
  return EXIT.ok
}

function refuse(): ExitCode {
  console.error(unknownCommand(process.argv.slice(2), COMMANDS))
  return EXIT.misconfigured
}

async function runArguments([name = '', ...args]: readonly string[]): Promise<ExitCode> {
  const command = commandNamed(name, COMMANDS)
  if (command && args.some((arg) => arg === '-h' || arg === '--help')) {
    return print(helpFor([command.name], COMMANDS, MORE_ROWS))
  }
  if (!command || (args.length > 0 && command.parameters === undefined)) return refuse()
  return command.run(args)
}

// an event loop that becomes empty before the command has ended is a failure, as with a promise that is awaited here
process.exitCode = EXIT.failed
// a handle that a library left open must not keep a finished proxy alive
void runArguments(process.argv.slice(2)).then((code) => process.exit(code))
