import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSettings } from '../../app/settings.ts'
import { logListeners, logStart } from '../../app/start-log.ts'

/** A log that collects its lines: level, message and fields. */
function collector() {
  const lines: [level: string, message: string, fields?: object][] = []
  const write = (level: string) => (fields: object | string, message?: string) => {
    lines.push(typeof fields === 'string' ? [level, fields] : [level, message ?? '', fields])
  }
  return { lines, log: { info: write('info'), warn: write('warn') } }
}

test('the first line has the settings in effect; each warning is a line', () => {
  const env = { PROXY_URL: 'http://10.0.0.1', PROXY_MAX_SESSIONS: '1' }
  const settings = readSettings(env)
  assert.ok('config' in settings)
  const { log, lines } = collector()
  logStart(log, settings, env)
  const [[level, message, fields] = [], ...rest] = lines
  assert.deepEqual([level, message], ['info', 'start'])
  assert.equal((fields as { config: Record<string, unknown> }).config.PROXY_MAX_SESSIONS, 1)
  assert.ok(rest.some(([level, warning]) => level === 'warn' && warning.startsWith('PROXY_URL: ')))
})

test('each listener is a line with its actual port', () => {
  const { log, lines } = collector()
  const listener = { url: 'smtp://127.0.0.1:0', scheme: 'smtp', host: '127.0.0.1', port: 0 } as const
  logListeners(log, [{ listener: { ...listener, starttlsRequired: false }, address: '127.0.0.1', port: 2525 }])
  assert.deepEqual(lines, [['info', 'listening', { listener: listener.url, address: '127.0.0.1', port: 2525 }]])
})
