/**
 * The names under which Prometheus' own OTLP receiver stores metrics and attributes (github.com/prometheus/otlptranslator,
 * with its default, UnderscoreEscapingWithSuffixes). The scrape page says the same ones, so that a metric has one name,
 * however it travels.
 */

/** What decides a metric's name: what OpenTelemetry calls it, its unit (UCUM), and whether it is a counter or a gauge. */
export interface NamedMetric {
  readonly name: string
  readonly unit: string
  /** `counter` only grows. `gauge` does not include up-down counters: those have no `_ratio`. */
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

/** Behind the slash of a unit: `m` is a minute there. */
const PER_UNITS: ReadonlyMap<string, string> = new Map([
  ['s', 'second'],
  ['m', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['w', 'week'],
  ['mo', 'month'],
  ['y', 'year'],
])

/** The Prometheus name of a metric, `_total` included. The suffixes of a histogram's series are not part of it. */
export function metricName({ name, unit, kind }: NamedMetric): string {
  const words = name.split(/[^a-zA-Z0-9:]+/).filter((word) => word !== '')
  for (const suffix of unitSuffixes(unit)) if (!words.includes(suffix)) words.push(suffix)
  if (kind === 'counter') return joined(atTheEnd(words, 'total'))
  if (kind === 'gauge' && unit === '1') return joined(atTheEnd(words, 'ratio'))
  return joined(words)
}

/** The Prometheus label of an attribute key. */
export function labelName(key: string): string {
  const label = key.replace(/[^a-zA-Z0-9]+/g, '_')
  return /^[0-9]/.test(label) ? `key_${label}` : label
}

/** `By/s` is `bytes`, `per_second`. What stands in braces is an annotation, no unit. */
function unitSuffixes(unit: string): readonly string[] {
  const [main = '', ...rest] = unit.split('/')
  const mainSuffix = spelled(main, UNITS)
  const per = spelled(rest.join('/'), PER_UNITS).replace(/_$/, '')
  if (per === '') return [mainSuffix].filter((suffix) => suffix !== '')
  return [mainSuffix.replace(/_$/, ''), `per_${per}`].filter((suffix) => suffix !== '')
}

function spelled(unit: string, units: ReadonlyMap<string, string>): string {
  const trimmed = unit.trim()
  if (/[{}]/.test(trimmed)) return ''
  return (units.get(trimmed) ?? trimmed).replace(/[^a-zA-Z0-9:]+/g, '_').replace(/^_/, '')
}

function atTheEnd(words: readonly string[], last: string): readonly string[] {
  return [...words.filter((word) => word !== last), last]
}

function joined(words: readonly string[]): string {
  const name = words.join('_')
  return /^[0-9]/.test(name) ? `_${name}` : name
}
