import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Command, helpFor, unknownCommand } from '../../app/commands.ts'
import { OTEL_ROWS } from '../../otel/settings/table.ts'
import { ROWS } from '../../proxy/settings/table.ts'

const run = () => 0 as const
const COMMANDS: readonly Command[] = [
  { name: '', purpose: 'run the proxy', run },
  { name: 'watch', parameters: '[--once]', purpose: 'show what happens', details: '--once: stop after it', run },
  { name: 'help', aliases: ['--help'], purpose: 'print this text', run },
]

test('the short help fits on a screen and names settings that exist, with their defaults', () => {
  const help = helpFor([], COMMANDS, OTEL_ROWS) ?? ''
  for (const line of help.split('\n')) assert.ok(line.length <= 100, line)
  const rows = [...ROWS, ...OTEL_ROWS]
  const shown = [...help.matchAll(/^ {2}([A-Z][A-Z_]+) .*?(?:default: (\w+:\S+)\))?$/gm)]
  assert.equal(shown.length, 6)
  for (const [, name, byDefault] of shown) {
    const row = rows.find(({ variable }) => variable === name)
    assert.ok(row, name)
    if (byDefault !== undefined) assert.equal(row.default, byDefault)
  }
})

test('every help lists each command with its purpose', () => {
  for (const args of [[], ['all']])
    for (const { name, purpose } of COMMANDS)
      assert.match(helpFor(args, COMMANDS, []) ?? '', new RegExp(`^ {2}${name || '.nothing.'} .*${purpose}$`, 'm'))
})

test('the help of a command has its arguments, purpose, details and aliases', () => {
  assert.equal(
    helpFor(['watch'], COMMANDS, []),
    'Usage: node app/entry.js watch [--once]\n\nShow what happens.\n--once: stop after it\n',
  )
  assert.match(helpFor(['--help'], COMMANDS, []) ?? '', /^Usage: node app\/entry\.js help\n[\s\S]*\nAlso: --help\n$/)
  assert.equal(helpFor(['wach'], COMMANDS, []), undefined)
})

test('the error for an unknown command has three lines, with the nearest command if there is one', () => {
  assert.match(unknownCommand(['wacth'], COMMANDS), /^unknown arguments: wacth\nDid you mean watch\?\n[^\n]+$/)
  assert.match(unknownCommand(['x'], COMMANDS), /^unknown arguments: x\nThe commands are watch, help\.\n[^\n]+$/)
})
