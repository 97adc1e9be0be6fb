/** Figures of a run in tables: one for each variant of a workload and each kind of upstream. */
import { FLOORS, type Security } from '../contenders/contender.ts'
import { type Spread, spread } from '../figures/statistics.ts'
import type { Pooled, Results, Sample, Series } from '../results.ts'

/** One table. */
export interface Table {
  readonly workload: string
  readonly variant: string
  readonly upstream: Security
  readonly rows: readonly Row[]
  /** The contender that CPU time is compared with: the least that a proxy in Node can cost. Undefined if it did not run. */
  readonly floor: string | undefined
  /** The offered rate in messages per second, if it was given. */
  readonly rate: number | undefined
}

export type Figure = Exclude<keyof Sample, 'messages' | 'seconds' | 'rate'>

export interface Row {
  readonly contender: string
  readonly failure: string | undefined
  /** Undefined: not measured. */
  readonly figures: Readonly<Partial<Record<Figure, Spread | undefined>>>
  /** CPU time per message, divided by that of the floor. */
  readonly cpuRatio: number | undefined
  /** Milliseconds more than the direct connection. */
  readonly addedP50: number | undefined
  readonly addedP99: number | undefined
}

const FIGURES: readonly Figure[] = [
  'cpuMsPerMessage',
  'messagesPerSecond',
  'p50',
  'p99',
  'p999',
  'residentMib',
  'kibPerSession',
  'idleCpuMsPerSecond',
  'generatorCores',
  'sinkCores',
  'latenessP99',
]

export function tablesOf({ series }: Pick<Results, 'series'>): Table[] {
  const groups = Map.groupBy(series, ({ workload, variant, upstream }) => [workload, variant, upstream].join(' '))
  return [...groups.values()].map(tableOf)
}

function tableOf(all: readonly Series[]): Table {
  const { workload, variant, upstream } = all[0]!
  const figures = new Map(all.map((one) => [one.contender, figuresOf(one)]))
  const floor = figures.get(FLOORS[upstream])?.cpuMsPerMessage?.median
  const direct = figures.get('direct')
  const rows = all.map(({ contender, failure }): Row => {
    const own = figures.get(contender)!
    const minus = (figure: 'p50' | 'p99') =>
      difference(own[figure], contender === 'direct' ? undefined : direct?.[figure])
    const cpu = own.cpuMsPerMessage?.median
    const cpuRatio = cpu === undefined || !floor ? undefined : cpu / floor
    return { contender, failure, figures: own, cpuRatio, addedP50: minus('p50'), addedP99: minus('p99') }
  })
  const rate = all.flatMap(({ samples }) => samples).find((sample) => sample.rate !== undefined)?.rate
  return { workload, variant, upstream, rows, floor: floor ? FLOORS[upstream] : undefined, rate }
}

function figuresOf({ samples, pooled = {} }: Series): Row['figures'] {
  return Object.fromEntries(
    FIGURES.map((figure) => {
      const ofRounds = spread(samples.map((sample) => sample[figure]))
      // a round with too few messages has no p99, but all rounds together may have one
      const ofAll =
        figure in pooled && ofRounds?.rounds !== samples.length ? spread([pooled[figure as keyof Pooled]]) : undefined
      return [figure, ofAll ?? ofRounds]
    }),
  )
}

function difference(own: Spread | undefined, other: Spread | undefined): number | undefined {
  return own === undefined || other === undefined ? undefined : own.median - other.median
}
