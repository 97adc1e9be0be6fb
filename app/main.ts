/** The commands. This folder is the only one that connects the proxy to telemetry. */
import { createLogger, type LogOutput } from '../otel/export/logger.ts'
import { type Sdk, start } from '../otel/sdk.ts'
import { OTEL_ROWS } from '../otel/settings/table.ts'
import packageJson from '../package.json' with { type: 'json' }
import { helpText } from '../proxy/settings/help.ts'
import { Appliance } from './appliance.ts'
import { check } from './check/check.ts'
import { EXIT, type ExitCode } from './exit-code.ts'
import { checkNames, readSettings, type Settings, warningsOf } from './settings.ts'

/** How long the process waits at its end until all log lines are written. */
const FLUSH_MS = 1000

const COMMANDS = new Map<string, () => Promise<ExitCode> | ExitCode>([
  ['', run],
  ['check-names', runCheckNames],
  ['--help', () => print(helpText(OTEL_ROWS))],
  ['--version', () => print(`${packageJson.version}\n`)],
])

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
    clients: [...new Set(config.clients.map(({ name }) => name))],
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
    printError: (line) => console.error(line),
    signal: interrupt.signal,
  })
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

function print(text: string): ExitCode {
  process.stdout.write(text)
  return EXIT.ok
}

/** Only `check` takes arguments. */
function commandOf([name = '', ...args]: readonly string[]): (() => Promise<ExitCode> | ExitCode) | undefined {
  if (name === 'check' && !args.includes('--help')) return () => runCheck(args)
  return COMMANDS.get(name === 'check' ? '--help' : [name, ...args].join(' '))
}

const command = commandOf(process.argv.slice(2))
if (command) process.exitCode = await command()
else {
  console.error(`unknown arguments: ${process.argv.slice(2).join(' ')}\n\n${helpText(OTEL_ROWS)}`)
  process.exitCode = EXIT.misconfigured
}
// a handle that a library left open must not keep a finished proxy alive
process.exit()
