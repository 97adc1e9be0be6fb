/** Checks that the labels on a scrape page have values from the table's closed sets or from the configuration. */
import {
  type AttributeKey,
  appTlsErrors,
  attributes,
  dialErrors,
  labelOf,
  lookupErrors,
  metrics,
  transactionErrors,
} from '../../../otel/names/names.ts'

/** The label values that come from the configuration. */
export interface Configured {
  readonly servers: readonly string[]
  readonly clients: readonly string[]
  readonly listeners: readonly string[]
}

const CODE = /^(0|[2-5]\d\d)$/
const ERRORS: readonly string[] = [...transactionErrors, ...dialErrors, ...appTlsErrors, ...lookupErrors]
const METRICS = Object.values(metrics)
const HISTOGRAM_PARTS = ['_bucket', '_sum', '_count']

/** The series of the proxy's own metrics with other names, labels or values than the table allows. */
export function unknownSeriesOn(page: string, configured: Configured): string[] {
  return page.split('\n').filter((line) => line.startsWith('smtp_proxy_') && !isKnown(line, configured))
}

function isKnown(line: string, configured: Configured): boolean {
  const [, name = '', labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? []
  const metric = METRICS.find(({ kind, prometheus }) =>
    kind === 'histogram' ? HISTOGRAM_PARTS.some((part) => name === prometheus + part) : name === prometheus,
  )
  if (!metric) return false
  if (labels === 'otel_metric_overflow="true"') return true
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
  const keys: readonly AttributeKey[] = metric.attributes
  return pairs.every(([, label, value = '']) => {
    if (label === 'le' && metric.kind === 'histogram') return true
    const key = keys.find((candidate) => labelOf(candidate) === label)
    return key !== undefined && mayBe(key, value, configured)
  })
}

function mayBe(key: AttributeKey, value: string, { servers, clients, listeners }: Configured): boolean {
  const definition = attributes[key]
  if ('values' in definition) return definition.values.map(String).includes(value)
  switch (key) {
    case 'server.address':
      return servers.includes(value)
    case 'smtp.listener':
      return listeners.includes(value)
    case 'smtp.client.name':
      return value === 'other' || clients.includes(value)
    case 'smtp.loop':
      return /^\d{1,2}$/.test(value)
    case 'smtp.reply.code':
      return CODE.test(value)
    case 'error.type':
      return CODE.test(value) || ERRORS.includes(value)
    default:
      return false
  }
}
