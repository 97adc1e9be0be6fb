/** The table of the simulator's faults is complete, and finds each fault by name. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { FAULT_POINTS } from './fault.ts'
import { faultType, readFaultName } from './fault-names.ts'
import { FAULTS } from './faults/index.ts'

describe('the table of faults', () => {
  test('describes each fault in one sentence', () => {
    for (const [form, { meaning }] of Object.entries(FAULTS)) assert.match(meaning, /^[A-Z][^.]*\.$/, form)
  })

  test('lists each fault under the form of its names', () => {
    for (const [form, type] of Object.entries(FAULTS)) {
      const [full, short] = [form.replaceAll(/[[\]]/g, ''), form.replace(/\[.*\]/, '')]
      for (const pattern of [full, short])
        for (const point of FAULT_POINTS) {
          const name = pattern.replace('<code>', '451').replace('<command>', point).replaceAll(/<\w+>/g, '5')
          assert.equal(faultType(name), type, name)
        }
    }
  })

  test('has all faults of the folder', () => {
    const files = readdirSync(join(import.meta.dirname, 'faults')).filter((file) => file !== 'index.ts')
    assert.equal(Object.keys(FAULTS).length, files.length)
  })

  test('finds a fault and its parameters by name', () => {
    const code = { form: '<code>-at-<command>', parameters: { code: 421 }, at: 'end-of-message' }
    assert.deepEqual(readFaultName('421-at-end-of-message'), code)
    const latency = { form: 'latency-<ms>[-<ms>]', parameters: { ms: 20, maxMs: 80 }, at: 'greeting' }
    assert.deepEqual(readFaultName('latency-20-80'), latency)
    const cutReset = { form: 'cut-reset-at-<command>', parameters: {}, at: 'data' }
    assert.deepEqual(readFaultName('cut-reset-at-data'), cutReset)
    assert.equal(readFaultName('toString'), undefined)
  })
})
