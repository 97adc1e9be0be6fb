/** Lines of the live tail as people read them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TailLine } from '../../../status/tail/line.ts'
import { LineText, showsColours } from '../../../status/tail/text.ts'

const LINE: TailLine = {
  time: new Date(2026, 0, 2, 3, 4, 5, 67).toISOString(),
  app: 'billing',
  subject: 'END-OF-MESSAGE',
  code: 250,
  enhancedCode: '2.0.0',
  cause: 'none',
  ahasendMs: 45.4,
  totalMs: 1234,
  sessionId: 'session-1',
}
const MESSAGE: TailLine = { ...LINE, subject: 'message', outcome: 'accepted', size: 12_345, traceId: '4bf92f' }

test('columns are aligned below their names', () => {
  const text = new LineText(false)
  assert.equal(
    [text.heading(), text.of(LINE), text.of(MESSAGE)].join('\n'),
    `
TIME          APP         COMMAND         REPLY      CAUSE                 OUTCOME      SIZE  AHASEND    TOTAL  TRACE OR SESSION
03:04:05.067  billing     END-OF-MESSAGE  250 2.0.0  -                     -               -    45 ms    1.2 s  session-1
03:04:05.067  billing     message         250 2.0.0  -                     accepted    12 kB    45 ms    1.2 s  4bf92f`.slice(
      1,
    ),
  )
})

test('a column grows with a long value, and stays that wide', () => {
  const text = new LineText(false)
  const long = text.of({ ...LINE, app: 'a-very-long-app-name' })
  assert.equal(text.of(LINE).indexOf('END-OF-MESSAGE'), long.indexOf('END-OF-MESSAGE'))
})

const SIZES: readonly [bytes: number, text: string][] = [
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [9940, '9.9 kB'],
  [999_949, '1000 kB'],
  [999_950, '1 MB'],
  [30_000_000, '30 MB'],
]
for (const [size, expected] of SIZES) {
  test(`${size} bytes are ${expected}`, () => {
    assert.ok(new LineText(false).of({ ...MESSAGE, size }).includes(`  ${expected}  `))
  })
}

test('a sender cannot hold escape sequences or letters that change the direction of the text', () => {
  const line = new LineText(false).of({ ...MESSAGE, sender: 'a\x1b[2J\u202eb@example.com' })
  assert.ok(line.endsWith('4bf92f from a?[2J?b@example.com'), line)
})

const COLOURS: readonly [what: string, line: Partial<TailLine>, colour: number | undefined][] = [
  ['an accepted command', {}, undefined],
  ['a command that is to be repeated', { code: 421 }, 33],
  ['a refused command', { code: 550 }, 31],
  ['an accepted message', { outcome: 'accepted' }, 32],
  ['a message in doubt', { outcome: 'in_doubt' }, 31],
  ['a failed session', { subject: 'session' }, 31],
]
for (const [what, change, colour] of COLOURS) {
  test(`${what} is ${colour === undefined ? 'not coloured' : `in colour ${colour}`}`, () => {
    const line = { ...LINE, ...change }
    const plain = new LineText(false).of(line)
    assert.equal(new LineText(true).of(line), colour === undefined ? plain : `\x1b[${colour}m${plain}\x1b[0m`)
  })
}

test('lost lines are counted', () => {
  assert.match(new LineText(false).lost(1), /^… 1 line lost/)
  assert.match(new LineText(false).lost(123), /^… 123 lines lost/)
})

test('colours are only for terminals that have them, and NO_COLOR turns them off', () => {
  assert.equal(showsColours(true, { TERM: 'xterm' }), true)
  assert.equal(showsColours(true, { NO_COLOR: '' }), true)
  assert.equal(showsColours(true, { NO_COLOR: '1' }), false)
  assert.equal(showsColours(true, { TERM: 'dumb' }), false)
  assert.equal(showsColours(false, { TERM: 'xterm' }), false)
})
