/** The `check` command: finds out why mail would not flow, and says what to do. */
import { readFileSync } from 'node:fs'
import type { OtelSettings } from '../../otel/settings/effective.ts'
import { ownOpenFilesLimit } from '../../proxy/server/fd-limit.ts'
import type { Config } from '../../proxy/settings/config.ts'
import { Dialer } from '../../proxy/upstream/dialer.ts'
import type { Environment } from '../../settings/environment.ts'
import type { Login } from '../conversation/login.ts'
import { type Options, readArguments } from './arguments.ts'
import { jsonOf, linesOf, summaryOf, type Terminal } from './output.ts'
import { exitCodeOf, runSteps } from './run.ts'
import { alertsStep } from './steps/alerts.ts'
import { certificateSteps } from './steps/certificate.ts'
import { clockStep, noEvidence } from './steps/clock.ts'
import { mistakesStep, readSettingsFile, settingsFileStep, settingsStep } from './steps/configuration.ts'
import { HELP } from './steps/help.ts'
import { listenerSteps } from './steps/listeners.ts'
import { openFilesStep } from './steps/open-files.ts'
import { otlpSteps } from './steps/otlp.ts'
import type { Finished, Step } from './steps/step.ts'
import { LOGIN_VARIABLES, readLogin } from './upstream/login.ts'
import { loginStep, messageStep } from './upstream/mail.ts'
import { dnsSteps, portSteps } from './upstream/network.ts'
import { nothingDialled, upstreamSteps } from './upstream/upstreams.ts'

/** The settings and the warnings about them, or everything that is wrong with them. */
export type CheckedSettings =
  | { readonly config: Config; readonly otel: OtelSettings; readonly warnings: readonly string[] }
  | { readonly mistakes: readonly string[] }

/** What the command gets from its process. */
export interface CheckInput {
  /** The arguments after `check`. */
  readonly args: readonly string[]
  readonly env: Environment
  readonly readSettings: (env: Environment) => CheckedSettings
  readonly print: (line: string) => void
  readonly terminal?: Terminal
  readonly printError: (line: string) => void
  /** Aborts when the user interrupts the command. */
  readonly signal: AbortSignal
}

/** Runs all steps and prints what they find. Returns the exit code: 0, 1 if a step failed, 2 if the input is wrong. */
export async function check(input: CheckInput): Promise<0 | 1 | 2> {
  const options = readArguments(input.args)
  if ('mistakes' in options) return refuse(input, options.mistakes)
  const read = readLogin(options.loginFile, input.env, readText)
  if ('mistake' in read) return refuse(input, [read.mistake])
  const settings = input.readSettings(withoutLogin(input.env))
  // without settings there is nothing to check, and people see the mistakes alone
  if ('mistakes' in settings && !options.json)
    return refuse(input, [...settings.mistakes, `See: ${helpFor(settings.mistakes)}`])
  const steps =
    'mistakes' in settings
      ? [mistakesStep(settings.mistakes)]
      : stepsFor({ settings, options, env: input.env, ...read })
  return report(input, options.json, steps)
}

/** The page about the settings that are wrong. */
function helpFor(mistakes: readonly string[]): string {
  return mistakes.every((mistake) => mistake.startsWith('PROXY_TLS_')) ? HELP.certificates : HELP.settings
}

function refuse({ printError }: CheckInput, mistakes: readonly string[]): 2 {
  for (const mistake of mistakes) printError(mistake)
  return 2
}

function readText(path: string): string {
  return readFileSync(path, 'utf8')
}

function withoutLogin(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !LOGIN_VARIABLES.some((own) => own === name)))
}

async function report(
  { print, terminal, signal }: CheckInput,
  json: boolean,
  steps: readonly Step[],
): Promise<0 | 1 | 2> {
  let previous: Finished | undefined
  const show = (finished: Finished) => {
    for (const line of linesOf(finished, previous, terminal)) print(line)
    previous = finished
  }
  const finished = await runSteps(steps, json ? () => {} : show, signal)
  print(json ? jsonOf(finished, signal.aborted) : summaryOf(finished, signal.aborted))
  return exitCodeOf(finished, signal.aborted)
}

interface Plan {
  readonly settings: Exclude<CheckedSettings, { readonly mistakes: unknown }>
  readonly options: Options
  readonly env: Environment
  readonly login?: Login
}

/** All steps in order. Steps about the clock come after those that collect evidence. */
function stepsFor({ settings: { config, otel, warnings }, options, env, login }: Plan): readonly Step[] {
  const evidence = noEvidence()
  const dialled = nothingDialled()
  const dialer = new Dialer(config.upstreamCaFile)
  const file = readSettingsFile(env, readText)
  const routes = config.upstreams.map((server) => ({ dialer, server, timeoutMs: config.dialTimeoutMs }))
  const { to, from = to, real } = options
  return [
    settingsStep(warnings),
    settingsFileStep(file),
    ...listenerSteps(config),
    ...certificateSteps(config),
    ...dnsSteps(config),
    ...upstreamSteps(config, dialer, evidence, dialled),
    ...portSteps(config, dialled),
    ...(login ? routes.map((route) => loginStep(route, login, dialled.reached)) : []),
    ...(to && from ? [messageStep(routes, login, { to, from, real }, dialled.reached)] : []),
    ...otlpSteps(otel, evidence),
    clockStep(evidence, Date.now),
    openFilesStep(config, env, ownOpenFilesLimit()),
    alertsStep(env, file.env),
  ]
}
