/** The reference of spans and log lines. */

import { type LogLineDefinition, logFields, logLines } from '../../otel/names/log-lines.ts'
import { attributes, details } from '../../otel/names/names.ts'
import { type SpanDefinition, spanDefinitions } from '../../otel/names/records.ts'
import { code, table } from './markdown.ts'
import { closeDetails } from './metrics.ts'
import type { Parts } from './parts.ts'

/** The lines about messages, sessions and dials: their fields are attributes. */
const ABOUT_MAIL = ['transaction', 'session', 'dial failed', 'dialled'] as const

const SPANS: readonly (readonly [string, SpanDefinition])[] = Object.entries(spanDefinitions)
const LINES: readonly (readonly [string, LogLineDefinition])[] = Object.entries(logLines)

/** The parts of docs/telemetry.md that come from the tables of spans and log lines. */
export function recordParts(): Parts {
  return {
    spans: spansTable(),
    attributes: attributesTable(),
    'close-details': closeDetails(),
    'log-lines': linesTable(),
    'log-fields': fieldsTable(),
  }
}

function spansTable(): string {
  return table(
    ['span', 'kind', 'parent', 'what it records'],
    SPANS.map(([, { name, kind, parent, help }]) => [name.includes('.') ? code(name) : name, kind, parent, help]),
  )
}

/** Every attribute with the spans and the log lines that can have it. */
function attributesTable(): string {
  const helps: Readonly<Record<string, string>> = {
    ...Object.fromEntries(Object.entries(attributes).map(([key, { help }]) => [key, help])),
    ...details,
  }
  const keys = [...new Set([...SPANS.flatMap(([, span]) => span.attributes), ...ABOUT_MAIL.flatMap(fieldsOf)])]
  const rows = keys
    .filter((key) => key in helps)
    .map((key) => [code(key), helps[key] ?? '', spansWith(key), linesWith(key)])
  return table(['attribute', 'meaning', 'spans', 'log lines'], rows)
}

function fieldsOf(line: (typeof ABOUT_MAIL)[number]): readonly string[] {
  return logLines[line].fields
}

function spansWith(key: string): string {
  return SPANS.filter(([, { attributes }]) => (attributes as readonly string[]).includes(key))
    .map(([short]) => short)
    .join(', ')
}

function linesWith(key: string): string {
  return LINES.filter(([, { fields }]) => (fields as readonly string[]).includes(key))
    .map(([msg]) => msg)
    .filter((msg) => (ABOUT_MAIL as readonly string[]).includes(msg))
    .join(', ')
}

function linesTable(): string {
  return table(
    ['`msg`', 'level', 'when', 'fields'],
    LINES.map(([msg, { levels, help, fields }]) => [code(msg), levels.join(', '), help, fieldsCell(msg, fields)]),
  )
}

function fieldsCell(msg: string, fields: readonly string[]): string {
  if ((ABOUT_MAIL as readonly string[]).includes(msg)) return '[attributes](#attributes-of-spans-and-log-lines)'
  return fields.map(code).join(', ')
}

function fieldsTable(): string {
  return table(
    ['field', 'meaning'],
    Object.entries(logFields).map(([field, help]) => [code(field), help]),
  )
}
