/**
 * Compares the proxy with a direct connection and with other proxies: CPU time per message, throughput, latency and memory.
 * `npm run bench -- --help` lists the options; docs/performance.md explains what is measured.
 */
import { chmodSync } from 'node:fs'
import { temporaryDirectory } from '../../test/support/files/temporary-files.ts'
import type { Contender } from './contenders/contender.ts'
import { describeMachine } from './figures/machine.ts'
import { Generator } from './load/generator.ts'
import { helpText, type Options, parseOptions, UsageError } from './options.ts'
import { expectedSeconds, planOf } from './plan.ts'
import { pathOf } from './processes/process.ts'
import { duration, startProgress } from './progress.ts'
import { writeReports } from './report/files.ts'
import { markdownOf } from './report/markdown.ts'
import type { Results, Series, Skipped } from './results.ts'
import { runPlan } from './run.ts'

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args)
    if (options !== 'help') return await compare(options)
    console.log(helpText())
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${error.message}\nnpm run bench -- --help lists the options.`)
    return 2
  }
}

async function compare(options: Options): Promise<number> {
  if (process.platform !== 'linux') throw new UsageError('npm run bench needs Linux: it reads CPU time from /proc.')
  const machine = describeMachine()
  const { found, skipped } = await present(options)
  const plan = planOf({ ...options, contenders: found })
  const expected = expectedSeconds(plan, options)
  console.error(`This takes about ${duration(expected)}. Ctrl-C ends it and prints what was measured.`)
  const interrupt = abortOnSignals()
  const series: Series[] = []
  const began = performance.now()
  {
    using temporary = temporaryDirectory('bench-')
    chmodSync(temporary.path, 0o711) // servers of Postfix run as another user
    process.on('exit', () => temporary.remove()) // also after the second Ctrl-C
    const generator = new Generator()
    const progress = startProgress(expected)
    const common = { options, generator, progress, signal: interrupt, folder: temporary.path }
    await runPlan(plan, { ...common, add: (more) => void series.push(...more) }).finally(() => generator.stop())
  }
  const results: Results = {
    date: new Date().toISOString().slice(0, 10),
    machine,
    rounds: options.rounds,
    seconds: options.seconds,
    short: options.short,
    settings: options.settings,
    partial: interrupt.aborted,
    tookSeconds: Math.round((performance.now() - began) / 1000),
    series,
    skipped: [...skipped, ...impossible(found, options)],
    tools: tools(),
  }
  console.log(markdownOf(results))
  writeReports(results, options)
  return exitCodeOf(results)
}

/** 130 after Ctrl-C; 1 when a measurement failed. */
function exitCodeOf({ partial, series }: Results): number {
  if (partial) return 130
  return series.some(({ failure }) => failure !== undefined) ? 1 : 0
}

/** The first signal ends the measurements; the second one ends this process immediately. */
function abortOnSignals(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130)
      controller.abort()
    })
  }
  return controller.signal
}

/** Which contenders can run on this machine. Reports the others. */
async function present({ contenders }: Options): Promise<{ readonly found: Contender[]; readonly skipped: Skipped[] }> {
  const found: Contender[] = []
  const skipped: Skipped[] = []
  for (const contender of contenders) {
    const reason = await contender.missing()
    if (reason === undefined) found.push(contender)
    else {
      console.error(`skipped: ${contender.title}: ${reason}`)
      skipped.push({ contender: contender.title, reason })
    }
  }
  return { found, skipped }
}

/** Combinations that do not exist, with the reason. */
function impossible(found: readonly Contender[], { upstreams, workloads }: Options): Skipped[] {
  return found.flatMap((contender) => [
    ...upstreams.flatMap((upstream) => {
      const reason = contender.cannot?.[upstream]
      return reason === undefined ? [] : [{ contender: contender.title, upstream, reason }]
    }),
    ...workloads.flatMap((workload) => {
      const reason = workload.cannot?.(contender)
      return reason === undefined ? [] : [{ contender: contender.title, workload: workload.id, reason }]
    }),
  ])
}

function tools(): string[] {
  const own = (program: string, what: string) =>
    pathOf(program) === undefined
      ? `${program} is not installed (Debian: postfix): our own ${what} takes its place`
      : []
  return [own('smtp-sink', 'upstream'), own('smtp-source', 'load generator')].flat()
}
