/** The values of the chart, for its README. */
import type { Value } from '../../charts/generate/value.ts'
import { VALUES } from '../../charts/generate/values.ts'
import { code, lines, table } from './markdown.ts'
import type { Parts } from './parts.ts'

/** The parts of the README of the chart. */
export function chartParts(): Parts {
  const sections = VALUES.map(({ title, values }) => `### ${title}\n\n${valuesTable(values)}`)
  return { values: sections.join('\n') }
}

function valuesTable(values: readonly Value[]): string {
  return table(
    ['value, default', 'meaning'],
    values.map(({ path, default: byDefault, meaning }) => [lines(code(path), ...shown(byDefault)), meaning]),
  )
}

/** A default; nothing for an empty one. */
function shown(byDefault: unknown): string[] {
  const text = typeof byDefault === 'string' ? byDefault : JSON.stringify(byDefault)
  return ['', '{}', '[]'].includes(text) ? [] : [code(text)]
}
