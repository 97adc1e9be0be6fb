/**
 * JSON schemas of manifests for kubeconform, from Kubernetes' own OpenAPI documents and from the definitions of the
 * Prometheus operator. As with `kubectl --validate=strict`, a field that does not exist is a mistake.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { directoryOfSchemas } from '../programs/programs.ts'

type Schema = Readonly<Record<string, unknown>>

/** The OpenAPI document of each kind. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  'api__v1_openapi.json': ['Service', 'ServiceAccount', 'ConfigMap', 'Pod'],
  'apis__apps__v1_openapi.json': ['Deployment'],
  'apis__policy__v1_openapi.json': ['PodDisruptionBudget'],
  'apis__autoscaling__v2_openapi.json': ['HorizontalPodAutoscaler'],
  'apis__networking.k8s.io__v1_openapi.json': ['NetworkPolicy'],
}

/** The plural names of the kinds that the Prometheus operator defines. */
const DEFINED = ['podmonitors', 'servicemonitors', 'prometheusrules'] as const

/** The schema of each kind, by the name of its file for the template FILE_TEMPLATE. */
export function manifestSchemas(): Readonly<Record<string, string>> {
  const ofKubernetes = Object.entries(KINDS).flatMap(([file, kinds]) => {
    const document = JSON.parse(readFileSync(join(directoryOfSchemas(), file), 'utf8')) as OpenApi
    return kinds.map((kind) => schemaOfKind(document, kind))
  })
  return Object.fromEntries([...ofKubernetes, ...DEFINED.map(schemaOfDefinition)])
}

/** How kubeconform finds the file of a kind. */
export const FILE_TEMPLATE = '{{ .ResourceKind }}{{ .KindSuffix }}.json'

interface OpenApi {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

function schemaOfKind({ components }: OpenApi, wanted: string): [file: string, text: string] {
  for (const [name, schema] of Object.entries(components.schemas)) {
    const kinds = (schema['x-kubernetes-group-version-kind'] ?? []) as readonly GroupVersionKind[]
    const found = kinds.find(({ kind }) => kind === wanted)
    if (found === undefined) continue
    const whole = { $ref: `#/components/schemas/${name}`, components: strict(components) }
    return [fileName(found), JSON.stringify(whole)]
  }
  throw new Error(`the OpenAPI documents do not contain ${wanted}`)
}

function schemaOfDefinition(plural: string): [file: string, text: string] {
  const path = join(directoryOfSchemas(), `monitoring.coreos.com_${plural}.yaml`)
  const { spec } = parse(readFileSync(path, 'utf8')) as {
    readonly spec: {
      readonly group: string
      readonly names: { readonly kind: string }
      readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: Schema } }[]
    }
  }
  const [version] = spec.versions
  if (version === undefined) throw new Error(`${path} defines no version`)
  const found = { group: spec.group, version: version.name, kind: spec.names.kind }
  return [fileName(found), JSON.stringify(strict(version.schema.openAPIV3Schema))]
}

function fileName({ group, version, kind }: GroupVersionKind): string {
  const [first = ''] = group.split('.')
  return `${[kind.toLowerCase(), first, version].filter((part) => part !== '').join('-')}.json`
}

/** A schema in which objects have only the properties that it lists. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict)
  if (typeof schema !== 'object' || schema === null) return schema
  const inside = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)]))
  // a property may be named "properties"
  const isClosed = schema && 'properties' in schema && 'type' in schema && schema.type === 'object'
  return isClosed && !('additionalProperties' in schema) ? { ...inside, additionalProperties: false } : inside
}
