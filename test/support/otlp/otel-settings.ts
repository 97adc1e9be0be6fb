import assert from 'node:assert/strict'
import type { OtelSettings } from '../../../otel/settings/effective.ts'
import { parseOtel } from '../../../otel/settings/settings.ts'

type Env = Readonly<Record<string, string>>

/** The settings that these OTEL_* variables make. Fails when they contain a mistake. */
export function settingsOf(env: Env): OtelSettings {
  const parsed = parseOtel(env)
  assert.ok('settings' in parsed, JSON.stringify(parsed))
  return parsed.settings
}

/** The mistakes in these OTEL_* variables; empty when there are none. */
export function mistakesOf(env: Env): readonly string[] {
  const parsed = parseOtel(env)
  return 'mistakes' in parsed ? parsed.mistakes : []
}
