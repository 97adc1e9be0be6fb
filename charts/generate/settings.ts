/** The settings of the programs as parts of the chart's schema: a name that is in no table is refused before anything starts. */
import { PROBE_ROWS } from '../../app/probe/settings.ts'
import { OTEL_ROWS, TABLE } from '../../otel/settings/table.ts'
import { ROWS, SETTINGS } from '../../proxy/settings/table.ts'
import type { Documented } from '../../settings/documentation.ts'
import type { Schema } from './value.ts'

/** The settings of the proxy, also those of one signal. The documented rows come first, in the order of the documentation. */
export const PROXY_SETTINGS: readonly Documented[] = [
  ...ROWS,
  ...OTEL_ROWS,
  ...Object.values(TABLE).filter(({ variable }) => !OTEL_ROWS.some((row) => row.variable === variable)),
]

/** The settings from which the chart computes ports, times and files: it must see their values. */
const COMPUTED = [
  SETTINGS.listeners,
  SETTINGS.admin,
  SETTINGS.drainTimeoutMs,
  SETTINGS.stopGraceMs,
  SETTINGS.certFile,
  SETTINGS.keyFile,
].map(({ variable }) => variable)

/** The names of COMPUTED, and a variable that the chart extends. */
export const ONLY_IN_SETTINGS: readonly string[] = [...COMPUTED, 'OTEL_RESOURCE_ATTRIBUTES']

/** The values of the settings of the proxy and of the probe. */
export const SETTINGS_SCHEMA = settingsSchema(PROXY_SETTINGS)
export const PROBE_SETTINGS_SCHEMA = settingsSchema(PROBE_ROWS)

/** Where those come from that the chart need not see. */
export const SETTINGS_FROM_SCHEMA = sourcesSchema(
  PROXY_SETTINGS.filter(({ variable }) => !ONLY_IN_SETTINGS.includes(variable)),
)
export const PROBE_SETTINGS_FROM_SCHEMA = sourcesSchema(PROBE_ROWS)

/** Values by the name of their setting. A setting without a value (null) is unset. */
function settingsSchema(rows: readonly Documented[]): Schema {
  const property = (row: Documented) => ({
    type: ['string', 'number', 'boolean', 'null'],
    description: row.meaning.replaceAll('`', ''),
    ...((row.inImage ?? row.default) !== '' && { examples: [row.inImage ?? row.default] }),
  })
  return byName(rows, property)
}

const REFERENCE: Schema = {
  type: 'object',
  required: ['name', 'key'],
  properties: { name: { type: 'string' }, key: { type: 'string' }, optional: { type: 'boolean' } },
  additionalProperties: false,
}

/** Where a value comes from: Kubernetes' type EnvVarSource. Each name of SETTINGS_FROM_SCHEMA refers to it. */
export const SOURCE: Schema = {
  type: 'object',
  minProperties: 1,
  maxProperties: 1,
  properties: {
    secretKeyRef: REFERENCE,
    configMapKeyRef: REFERENCE,
    fieldRef: { type: 'object' },
    resourceFieldRef: { type: 'object' },
  },
  additionalProperties: false,
}

/** Where values come from, by the name of their setting. */
function sourcesSchema(rows: readonly Documented[]): Schema {
  return byName(rows, () => ({ $ref: '#/definitions/source' }))
}

function byName(rows: readonly Documented[], property: (row: Documented) => Schema): Schema {
  return {
    type: 'object',
    properties: Object.fromEntries(rows.map((row) => [row.variable, property(row)])),
    additionalProperties: false,
  }
}
