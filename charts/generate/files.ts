/** All generated files of the chart. A packaged chart contains only its own folder, so alerts and dashboards are copied into it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument, stringify } from 'yaml'
import { generatedFiles } from '../../dashboards/generate/files.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { schemaOf } from './schema.ts'
import { VALUES } from './values.ts'
import { valuesYaml } from './values-yaml.ts'

/** The folder of the chart. */
export const CHART = join(import.meta.dirname, '../ahasend-smtp-proxy')

/** The content of each generated file, by its path in the chart. */
export function chartFiles(): Readonly<Record<string, string>> {
  return {
    'Chart.yaml': withVersion(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'), packageJson.version),
    'values.yaml': valuesYaml(VALUES),
    'values.schema.json': `${JSON.stringify(schemaOf(VALUES), undefined, 2)}\n`,
    ...copies(),
  }
}

/** Alerts and dashboards. */
function copies(): Readonly<Record<string, string>> {
  const files = Object.entries(generatedFiles()).flatMap(([path, content]) => {
    const name = path.replace('generated/', '')
    if (path.endsWith('.json')) return [[`files/dashboards/${name}`, content]]
    return path.endsWith('.rules.yaml') ? [[`files/${name}`, content]] : []
  })
  return Object.fromEntries(files)
}

/** Chart.yaml with the version of the project. All other lines are written by hand. */
function withVersion(text: string, version: string): string {
  const chart = parseDocument(text)
  chart.set('version', version)
  chart.set('appVersion', version)
  return stringify(chart, { lineWidth: 0 })
}
