import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settingsHelp } from '../../../proxy/settings/help.ts'
import { ROWS } from '../../../proxy/settings/table.ts'

test('the help of the settings shows every variable, its meaning and its default, in lines that fit', () => {
  const help = settingsHelp()
  for (const { variable, default: byDefault } of ROWS) {
    assert.match(help, new RegExp(`^${variable}\n {4}\\S`, 'm'))
    assert.ok(byDefault === '' || help.includes(`Default: ${byDefault}`), variable)
  }
  const more = { variable: 'MORE', default: 'much', meaning: 'Settings of other modules.' }
  assert.ok(settingsHelp([more]).includes('\nMORE\n    Settings of other modules.\n    Default: much'))
  assert.match(help, /container image: smtp:\/\/0\.0\.0\.0:2525/)
  for (const line of help.split('\n')) assert.ok(line.length <= 110 && line === line.trimEnd(), line)
})
