/** docs/telemetry.md: everything that the code emits is in the reference. The dialogues show what it emits. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type AttributeDefinition,
  attributes,
  details,
  errorNames,
  labelOf,
  metrics,
  proxyHeaderFaults,
  replyCauses,
  runtimeAttributes,
  runtimeMetrics,
  spans,
} from '../../../otel/names/names.ts'
import { goldenNames, readGolden } from '../../support/dialogues/goldens.ts'
import { readDocument } from '../../support/docs/documents.ts'

const page = readDocument('docs/telemetry.md')

/** A section of the page, from its heading to the next heading of the same or a higher level. */
function section(heading: string): string {
  const [start = '', ...rest] = page.slice(page.indexOf(`\n${heading}\n`) + 1).split('\n')
  assert.equal(start, heading)
  const level = heading.indexOf(' ')
  const end = rest.findIndex((line) => /^#+ /.test(line) && line.indexOf(' ') <= level)
  return rest.slice(0, end < 0 ? undefined : end).join('\n')
}

/** The rows of the tables in a text, as cells. */
function rowsOf(text: string): string[][] {
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
  return rows.map((row) => row.slice(2, -2).split(' | '))
}

const codesIn = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)

const metricRows = new Map(rowsOf(section('## Metrics')).map((cells) => [codesIn(cells[0] ?? '')[0], cells]))
const labelRows = new Map(rowsOf(section('## Labels')).map((cells) => [codesIn(cells[0] ?? '')[0], cells]))
const attributeRows = new Map(
  rowsOf(section('## Attributes of spans and log lines')).map((cells) => [codesIn(cells[0] ?? '')[0], cells]),
)

/** The values of a label that the page explains; none if the page describes a range. */
function valuesOf(label: string): string[] {
  const cell = labelRows.get(label)?.[2] ?? ''
  if (cell.includes(`](#${label})`)) {
    return rowsOf(section(`### \`${label}\``)).flatMap(([value = '']) => codesIn(value))
  }
  return [...cell.matchAll(/(?:^|<br>)`([^`]+)`:/g)].map(([, value = '']) => value)
}

interface Series {
  readonly name: string
  readonly labels: readonly (readonly [label: string, value: string])[]
}

function series(line: string): Series {
  const [, name = '', labels = ''] = /^(\w+?)(?:_count|_sum|_bucket)?(?:\{(.*)\})? /.exec(line) ?? []
  return {
    name,
    labels: [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value] as const),
  }
}

describe('Over all dialogues', () => {
  const emitted = goldenNames('metrics').flatMap((name) => readGolden(name, 'metrics').map(series))
  const spanLines = goldenNames('spans').flatMap((name) => readGolden(name, 'spans'))

  test('every series has its metric, its labels and its values on the page', () => {
    assert.ok(emitted.length > 100)
    for (const { name, labels } of emitted) {
      const row = metricRows.get(name)
      assert.ok(row, `${name} is not in the table of metrics`)
      for (const [label, value] of labels) {
        assert.ok(codesIn(row[1] ?? '').includes(label), `${name} has no label ${label}`)
        if (/^\d+$/.test(value)) continue
        assert.ok(valuesOf(label).includes(value), `${label} has no value ${value}`)
      }
    }
  })

  test('every span has its attributes and their values on the page', () => {
    assert.ok(spanLines.length > 100)
    for (const line of spanLines) {
      const name = /^ *(\S+)/.exec(line)?.[1] ?? ''
      for (const [, key = '', value = ''] of line.matchAll(/ ([a-z][\w.]*)=(\S*)/g)) {
        const row = attributeRows.get(key)
        assert.ok(row, `${key} is not in the table of attributes: add it to otel/names/records.ts`)
        assert.ok(row[2]?.split(', ').includes(kindOf(name)), `${key} is not an attribute of ${name}`)
        const known = labelRows.has(labelOf(key as keyof typeof attributes)) ? valuesOf(key.replaceAll('.', '_')) : []
        if (known.length > 0 && !/^\d+$/.test(value)) assert.ok(known.includes(value), `${key} has no value ${value}`)
      }
    }
  })
})

/** The column's word for a span: its short name, or what kind of child it is. */
function kindOf(name: string): string {
  const short = Object.entries(spans).find(([, full]) => full === name)?.[0]
  if (short !== undefined) return short
  return /^[A-Z-]+$/.test(name) ? 'command' : 'phase'
}

test('every metric, every label and every value of a closed set is on the page', () => {
  for (const { name, prometheus } of [...Object.values(metrics), ...Object.values(runtimeMetrics)])
    assert.ok(metricRows.get(prometheus)?.[0]?.includes(`<br>${name}<br>`), prometheus)
  for (const [key, definition] of Object.entries<AttributeDefinition>({ ...attributes, ...runtimeAttributes })) {
    const label = key.replaceAll('.', '_')
    assert.ok(labelRows.has(label), label)
    if ('values' in definition) assert.deepEqual(valuesOf(label), definition.values.map(String), label)
  }
})

test('error_type: every error in its range is explained', () => {
  for (const error of errorNames) assert.ok(valuesOf('error_type').includes(error), error)
})

test('every cause says who must act', () => {
  const rows = rowsOf(section('### `smtp_reply_cause`'))
  assert.equal(rows.length, replyCauses.length + 1)
  for (const row of rows) assert.equal(row.length, 4, row[0])
})

test('every attribute of spans and log lines is on the page, and has a span or a line', () => {
  const shown = [...attributeRows.values()].slice(1)
  for (const key of Object.keys(details)) assert.ok(attributeRows.has(key), `${key}: no span and no line has it`)
  for (const [key = '', meaning, inSpans, inLines] of shown) {
    if (attributeRows.get(codesIn(key)[0])?.length !== 4) continue
    assert.match(meaning ?? '', /^\S.*\.$/, key)
    assert.notEqual(`${inSpans}${inLines}`, '', key)
  }
})

test('every value of smtp.session.close_detail is explained', () => {
  const rows = rowsOf(section('### Values of `smtp.session.close_detail`')).slice(1)
  assert.deepEqual(
    rows.map(([value = '']) => codesIn(value)[0]),
    [...proxyHeaderFaults],
  )
})
