import assert from 'node:assert/strict'
import type { OtelSettings } from '../../../otel/settings/effective.ts'
import { parseOtel } from '../../../otel/settings/settings.ts'

type Env = Readonly<Record<string, string>>

/** What OpenTelemetry's variables make of the settings; fails when they are a mistake. */
export function settingsOf(env: Env): OtelSettings {
  const parsed = parseOtel(env)
  assert.ok('settings' in parsed, JSON.stringify(parsed))
  return parsed.settings
}

/** What is wrong with OpenTelemetry's variables; empty when nothing is. */
export function mistakesOf(env: Env): readonly string[] {
  const parsed = parseOtel(env)
  return 'mistakes' in parsed ? parsed.mistakes : []
}
