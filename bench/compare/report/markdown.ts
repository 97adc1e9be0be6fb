/** The results as Markdown. */
import type { Contender } from '../contenders/contender.ts'
import { CONTENDERS } from '../contenders/index.ts'
import { duration } from '../progress.ts'
import type { Results } from '../results.ts'
import { WORKLOADS } from '../workloads/index.ts'
import { number, signed, spreadText } from './numbers.ts'
import { type Figure, type Row, type Table, tablesOf } from './table.ts'

interface Column {
  readonly heading: (table: Table) => string
  /** Empty: not measured. A column without a value is left out. */
  readonly cell: (row: Row) => string
}

const COLUMNS: readonly Column[] = [
  { heading: () => 'CPU ms per message', cell: spreadOf('cpuMsPerMessage') },
  {
    heading: ({ floor }) => `CPU, ${titleOf(floor ?? '')} = 1`,
    cell: ({ cpuRatio }) => (cpuRatio === undefined ? '' : cpuRatio.toFixed(2)),
  },
  { heading: () => 'messages/s', cell: medianOf('messagesPerSecond') },
  { heading: () => 'p50 ms', cell: spreadOf('p50') },
  { heading: () => 'p99 ms', cell: spreadOf('p99') },
  { heading: () => 'p99.9 ms', cell: spreadOf('p999') },
  { heading: () => 'p50 added', cell: ({ addedP50 }) => (addedP50 === undefined ? '' : signed(addedP50)) },
  { heading: () => 'p99 added', cell: ({ addedP99 }) => (addedP99 === undefined ? '' : signed(addedP99)) },
  { heading: () => 'KiB per idle session', cell: spreadOf('kibPerSession') },
  { heading: () => 'idle CPU ms/s', cell: spreadOf('idleCpuMsPerSecond') },
  { heading: () => 'resident MiB', cell: medianOf('residentMib') },
  { heading: () => 'generator late, p99 ms', cell: medianOf('latenessP99') },
  { heading: () => 'generator, upstream: cores', cell: coresOf },
]

/** From this share of a core on, a process of our own with one thread may be what limits a measurement. */
const BUSY = 0.9

function spreadOf(figure: Figure): Column['cell'] {
  return ({ figures }) => (figures[figure] === undefined ? '' : spreadText(figures[figure]))
}

function medianOf(figure: Figure): Column['cell'] {
  return ({ figures }) => (figures[figure] === undefined ? '' : number(figures[figure].median))
}

function coresOf({ figures }: Row): string {
  const cores = [figures.generatorCores, figures.sinkCores].map((one) => one?.median)
  return cores.map((value) => (value === undefined ? '–' : `${value.toFixed(2)}${value > BUSY ? '*' : ''}`)).join(', ')
}

export function titleOf(id: string): string {
  return CONTENDERS.find((contender: Contender) => contender.id === id)?.title ?? id
}

/** The whole report. */
export function markdownOf(results: Results): string {
  return [
    ...headOf(results),
    ...tablesOf(results).flatMap(tableText),
    ...skippedText(results),
    `\\* The process used more than ${BUSY} of a core, so it may have limited throughput. CPU per message does not depend on it.`,
    '',
  ].join('\n')
}

function headOf({ date, machine, rounds, seconds, short, settings, partial, tookSeconds, tools }: Results): string[] {
  const { cpu, cores, memoryGib, system, kernel, node, commit, loadBefore } = machine
  const set = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  return [
    ...(partial ? ['**Interrupted: these are the results until then.**', ''] : []),
    `${date}, commit ${commit || 'unknown'}${short ? ', short mode' : ''}: ${rounds === 1 ? 'one round' : `medians of ${rounds} rounds (lowest to highest)`} of ${seconds} s; took ${duration(tookSeconds)}.`,
    `Machine: ${cores} cores (${cpu}), ${memoryGib} GiB, ${system}, Linux ${kernel}, Node ${node}; load before the run: ${loadBefore}.`,
    ...(set.length === 0 ? [] : [`Settings of our proxy: ${set.join(', ')}.`]),
    ...tools.map((line) => `${line}.`),
    '',
  ]
}

function tableText(table: Table): string[] {
  const columns = COLUMNS.filter(({ cell }) => table.rows.some((row) => cell(row) !== ''))
  const lines = table.rows.map((row) => {
    const cells = row.figures.messagesPerSecond === undefined ? [] : columns.map(({ cell }) => cell(row) || '–')
    return `| ${titleOf(row.contender)} | ${cells.join(' | ') || columns.map(() => '–').join(' | ')} |`
  })
  const failures = table.rows.filter(({ failure }) => failure !== undefined)
  return [
    `### ${headingOf(table)}`,
    '',
    `| | ${columns.map(({ heading }) => heading(table)).join(' | ')} |`,
    `|---|${columns.map(() => '---:|').join('')}`,
    ...lines,
    '',
    ...failures.map(({ contender, failure }) => `Failed: ${titleOf(contender)}: ${failure?.split('\n')[0]}\n`),
  ]
}

/** `W5, 30% load, TLS upstream: latency of single messages; 1200 messages/s`. */
export function headingOf({ workload, variant, upstream, rate }: Table): string {
  const title = WORKLOADS.find(({ id }) => id === workload)?.title ?? ''
  const parts = [workload, variant, upstream === 'tls' ? 'TLS upstream' : 'plain upstream'].filter(
    (part) => part !== '',
  )
  return `${parts.join(', ')}: ${title}${rate === undefined ? '' : `; ${rate} messages/s`}`
}

function skippedText({ skipped }: Results): string[] {
  if (skipped.length === 0) return []
  const lines = skipped.map(({ contender, upstream, workload, reason }) => {
    const where = [workload, upstream && `${upstream === 'tls' ? 'TLS' : 'plain'} upstream`].filter(Boolean).join(', ')
    return `- ${contender}${where && ` (${where})`}: ${reason}.`
  })
  return ['Not measured:', '', ...lines, '']
}
