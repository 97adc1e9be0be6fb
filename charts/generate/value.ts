/** What a value of the chart is: one row documents, describes and defaults it. */

/** A part of a JSON schema. */
export type Schema = Readonly<Record<string, unknown>>

/** One value of the chart. */
export interface Value {
  /** Its place in values.yaml, with dots: `image.tag`. */
  readonly path: string
  readonly default: unknown
  /** For operators, in Markdown on one line. */
  readonly meaning: string
  readonly schema: Schema
}

/** Values with one purpose. */
export interface ValueGroup {
  readonly title: string
  readonly values: readonly Value[]
}

/** Any text. */
export const TEXT: Schema = { type: 'string' }
export const BOOLEAN: Schema = { type: 'boolean' }
export const PORT: Schema = { type: 'integer', minimum: 1, maximum: 65_535 }
/** Anything that Kubernetes defines: the API server checks it. */
export const OBJECT: Schema = { type: 'object' }
/** A list of what Kubernetes defines. */
export const OBJECTS: Schema = { type: 'array', items: OBJECT }
export const TEXTS: Schema = { type: 'array', items: TEXT }
/** Labels and annotations: Kubernetes accepts only texts. */
export const TEXT_BY_NAME: Schema = { type: 'object', additionalProperties: TEXT }
/** Ports by the port of a listener. */
export const PORT_BY_LISTENER: Schema = {
  type: 'object',
  propertyNames: { pattern: '^[1-9][0-9]*$' },
  additionalProperties: PORT,
}

/** A whole number of at least `minimum`. */
export function integer(minimum: number): Schema {
  return { type: 'integer', minimum }
}

/** One of some words. */
export function choice(...words: readonly string[]): Schema {
  return { enum: words }
}

/** A whole number, or a share such as 25%. */
export const NUMBER_OR_SHARE: Schema = { type: ['integer', 'string'], minimum: 0, pattern: '^[0-9]+%$' }

/** Variables of Kubernetes' type EnvVar, except settings, which have values of their own. */
export const VARIABLES: Schema = {
  type: 'array',
  items: {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string', not: { pattern: '^(PROXY|OTEL|PROBE)_' } } },
  },
}
