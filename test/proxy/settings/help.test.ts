import assert from 'node:assert/strict'
import { test } from 'node:test'
import { helpText } from '../../../proxy/settings/help.ts'
import { ROWS } from '../../../proxy/settings/table.ts'

test('--help shows every variable, its meaning and its default, in lines that fit', () => {
  const help = helpText()
  for (const { variable, default: byDefault } of ROWS) {
    assert.match(help, new RegExp(`^${variable}\n {4}\\S`, 'm'))
    assert.ok(byDefault === '' || help.includes(`Default: ${byDefault}`), variable)
  }
  const more = { variable: 'MORE', default: 'much', meaning: 'Settings of other modules.' }
  assert.ok(helpText([more]).includes('\nMORE\n    Settings of other modules.\n    Default: much\n'))
  assert.match(help, /container image: smtp:\/\/0\.0\.0\.0:2525/)
  for (const line of help.split('\n')) assert.ok(line.length <= 110 && line === line.trimEnd(), line)
})
