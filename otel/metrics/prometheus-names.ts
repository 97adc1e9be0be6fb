/**
 * The names under which Prometheus' own OTLP receiver stores metrics and attributes (github.com/prometheus/otlptranslator,
 * with its default, UnderscoreEscapingWithSuffixes). The scrape page uses the same names, so that a metric has the same name
 * whether it is scraped or pushed.
 */

/** What determines the Prometheus name of a metric: its OpenTelemetry name, its unit (UCUM) and its kind. */
export interface NamedMetric {
  readonly name: string
  readonly unit: string
  /** `counter`: monotonic. Up-down counters are not `gauge`, because they never get the suffix `_ratio`. */
  readonly kind: 'counter' | 'gauge' | 'updowncounter' | 'histogram'
}

const UNITS: ReadonlyMap<string, string> = new Map([
  ['d', 'days'],
  ['h', 'hours'],
  ['min', 'minutes'],
  ['s', 'seconds'],
  ['ms', 'milliseconds'],
  ['us', 'microseconds'],
  ['ns', 'nanoseconds'],
  ['By', 'bytes'],
  ['KiBy', 'kibibytes'],
  ['MiBy', 'mebibytes'],
  ['GiBy', 'gibibytes'],
  ['TiBy', 'tibibytes'],
  ['KBy', 'kilobytes'],
  ['MBy', 'megabytes'],
  ['GBy', 'gigabytes'],
  ['TBy', 'terabytes'],
  ['m', 'meters'],
  ['V', 'volts'],
  ['A', 'amperes'],
  ['J', 'joules'],
  ['W', 'watts'],
  ['g', 'grams'],
  ['Cel', 'celsius'],
  ['Hz', 'hertz'],
  ['1', ''],
  ['%', 'percent'],
])

/** Units after a slash. There, `m` is a minute. */
const PER_UNITS: ReadonlyMap<string, string> = new Map([
  ['s', 'second'],
  ['m', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['w', 'week'],
  ['mo', 'month'],
  ['y', 'year'],
])

/** The Prometheus name of a metric, including `_total`, without the suffixes of a histogram's series. */
export function metricName({ name, unit, kind }: NamedMetric): string {
  const parts = name.split(/[^a-zA-Z0-9:]+/).filter((part) => part !== '')
  for (const suffix of unitSuffixes(unit)) if (!parts.includes(suffix)) parts.push(suffix)
  if (kind === 'counter') return joined(withLast(parts, 'total'))
  if (kind === 'gauge' && unit === '1') return joined(withLast(parts, 'ratio'))
  return joined(parts)
}

/** The Prometheus label of an attribute key. */
export function labelName(key: string): string {
  const label = key.replace(/[^a-zA-Z0-9]+/g, '_')
  return /^[0-9]/.test(label) ? `key_${label}` : label
}

/** `By/s` becomes `bytes` and `per_second`. Text in braces is an annotation, not a unit. */
function unitSuffixes(unit: string): readonly string[] {
  const [main = '', ...rest] = unit.split('/')
  const mainSuffix = spelledOut(main, UNITS)
  const per = spelledOut(rest.join('/'), PER_UNITS).replace(/_$/, '')
  if (per === '') return [mainSuffix].filter((suffix) => suffix !== '')
  return [mainSuffix.replace(/_$/, ''), `per_${per}`].filter((suffix) => suffix !== '')
}

function spelledOut(unit: string, units: ReadonlyMap<string, string>): string {
  const trimmed = unit.trim()
  if (/[{}]/.test(trimmed)) return ''
  return (units.get(trimmed) ?? trimmed).replace(/[^a-zA-Z0-9:]+/g, '_').replace(/^_/, '')
}

/** Moves `last` to the end, or appends it. */
function withLast(parts: readonly string[], last: string): readonly string[] {
  return [...parts.filter((part) => part !== last), last]
}

function joined(parts: readonly string[]): string {
  const name = parts.join('_')
  return /^[0-9]/.test(name) ? `_${name}` : name
}
