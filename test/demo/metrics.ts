/** Parses the part of a scrape page (Prometheus text format 0.0.4) that the demo needs. */

/** One sample of a series. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Labels that a sample must have. */
export type Wanted = Readonly<Record<string, string>>

/** The samples of a page. Other lines are skipped. */
export function parseMetrics(page: string): readonly Sample[] {
  return page.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)/.exec(line) ?? []
    return name && value ? [{ name, labels: parseLabels(labels), value: numberOf(value) }] : []
  })
}

function parseLabels(text: string): Readonly<Record<string, string>> {
  const pairs = text.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)
  return Object.fromEntries([...pairs].map(([, key = '', value = '']) => [key, value]))
}

function numberOf(text: string): number {
  return text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text)
}

function select(samples: readonly Sample[], name: string, wanted: Wanted = {}): readonly Sample[] {
  const fits = ({ labels }: Sample) => Object.entries(wanted).every(([key, value]) => labels[key] === value)
  return samples.filter((sample) => sample.name === name && fits(sample))
}

/** The sum of a metric's samples with these labels; 0 when there are none. */
export function sum(samples: readonly Sample[], name: string, wanted?: Wanted): number {
  return select(samples, name, wanted).reduce((total, { value }) => total + value, 0)
}

/** The sums of a metric by one label's value, in order of that value. Sums of 0 are left out. */
export function sumBy(
  samples: readonly Sample[],
  name: string,
  label: string,
  wanted?: Wanted,
): ReadonlyMap<string, number> {
  const sums = new Map<string, number>()
  for (const { labels, value } of select(samples, name, wanted)) {
    const key = labels[label] ?? ''
    if (value > 0) sums.set(key, (sums.get(key) ?? 0) + value)
  }
  return new Map([...sums].sort(([a], [b]) => a.localeCompare(b)))
}

/**
 * A quantile (0 to 1) of a histogram, like PromQL's histogram_quantile: linear inside a bucket, and the highest bound
 * when it is above all bounds. Undefined without observations.
 */
export function quantile(samples: readonly Sample[], name: string, q: number, wanted?: Wanted): number | undefined {
  const counts = new Map<number, number>()
  for (const { labels, value } of select(samples, `${name}_bucket`, wanted)) {
    const bound = numberOf(labels.le ?? 'NaN')
    counts.set(bound, (counts.get(bound) ?? 0) + value)
  }
  const buckets = [...counts].sort(([a], [b]) => a - b)
  const rank = q * (buckets.at(-1)?.[1] ?? 0)
  if (rank === 0) return undefined
  const at = buckets.findIndex(([, count]) => count >= rank)
  const [bound = 0, count = 0] = buckets[at] ?? []
  const [below = 0, before = 0] = buckets[at - 1] ?? []
  return bound === Number.POSITIVE_INFINITY ? below : below + ((bound - below) * (rank - before)) / (count - before)
}
