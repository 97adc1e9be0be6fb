/** The recordings of incidents: see record.ts. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The interval of scrapes and rule evaluations in compose.yaml, in seconds. */
export const STEP_SECONDS = 15

/** What a proxy exported before and during an incident. */
export interface Recording {
  /** The number of scrapes before the incident. */
  readonly calm: number
  /** The value of each series at each scrape; null before the series exists. */
  readonly series: Readonly<Record<string, readonly (number | null)[]>>
}

export const RECORDINGS_FILE = join(import.meta.dirname, 'recordings.json')

/** All recordings, by the id of the incident. */
export function readRecordings(): Readonly<Record<string, Recording>> {
  return JSON.parse(readFileSync(RECORDINGS_FILE, 'utf8')) as Record<string, Recording>
}

/** The recording of the same apps without names, as in Compose, where all connect from one address. */
export function withoutNames({ calm, series }: Recording): Recording {
  const merged: Record<string, (number | null)[]> = {}
  for (const [name, values] of Object.entries(series)) {
    const other = name.replace(/smtp_client_name="[^"]*"/, 'smtp_client_name="other"')
    const sums = merged[other]
    merged[other] = values.map((value, index) => (sums?.[index] == null ? value : (value ?? 0) + sums[index]))
  }
  return { calm, series: merged }
}
