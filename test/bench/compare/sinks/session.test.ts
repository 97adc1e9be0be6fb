/** The upstream of the comparison. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EndOfData } from '../../../../bench/compare/sinks/end-of-data.ts'
import { SinkSession } from '../../../../bench/compare/sinks/session.ts'

const DIALOGUE =
  'ehlo app\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\nSubject: x\r\n\r\n..a\r\n.\r\nMAIL FROM:<a>\r\nDATA\r\n.\r\nQUIT\r\n'

function codesOf(pieces: readonly string[]): string[] {
  const replies: string[] = []
  const session = new SinkSession({ reply: (text) => replies.push(text), startTls() {}, quit() {} }, false)
  for (const piece of pieces) session.push(Buffer.from(piece))
  return replies
    .join('')
    .split('\r\n')
    .filter((line) => line[3] === ' ')
    .map((line) => line.slice(0, 3))
}

describe('SinkSession', () => {
  const expected = ['250', '250', '250', '354', '250', '250', '354', '250', '221']

  test('accepts messages, whole, byte by byte and at every cut', () => {
    assert.deepEqual(codesOf([...DIALOGUE]), expected)
    for (let cut = 0; cut <= DIALOGUE.length; cut += 1)
      assert.deepEqual(codesOf([DIALOGUE.slice(0, cut), DIALOGUE.slice(cut)]), expected, `${cut}`)
  })

  test('begins TLS after its reply, and leaves after QUIT', () => {
    const events: string[] = []
    const session = new SinkSession(
      {
        reply: (text) => events.push(text.slice(0, 3)),
        startTls: () => events.push('tls'),
        quit: () => events.push('quit'),
      },
      true,
    )
    session.push(Buffer.from('STARTTLS\r\n'))
    session.push(Buffer.from('QUIT\r\n'))
    assert.deepEqual(events, ['220', 'tls', '221', 'quit'])
  })
})

test('EndOfData finds the end only after a whole line end', () => {
  const end = new EndOfData()
  assert.equal(end.find(Buffer.from('a\n.\r\nb\r\n.x\r\n')), -1)
  assert.equal(end.find(Buffer.from('.')), -1)
  assert.equal(end.find(Buffer.from('\r\nNEXT')), 2)
  assert.equal(end.find(Buffer.from('.\r\n')), 3)
})
