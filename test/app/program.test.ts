import assert from 'node:assert/strict'
import { test } from 'node:test'
import { programOf } from '../../app/program.ts'

test('texts name the command that the user can repeat', () => {
  assert.equal(programOf('/opt/proxy/app/entry.js'), 'node app/entry.js')
  assert.equal(programOf('/app/proxy.cjs'), 'node proxy.cjs')
  assert.equal(programOf('/usr/local/bin/ahasend-smtp-proxy'), 'ahasend-smtp-proxy')
  assert.equal(programOf(''), 'node app/entry.js')
})
