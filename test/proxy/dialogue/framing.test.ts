/** How the client's bytes are cut into commands, AUTH responses and bodies. Every case runs whole and byte by byte. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Dialogue } from '../../../proxy/dialogue/dialogue.ts'
import { Framing, MAX_HELD_BYTES, type Phase } from '../../../proxy/dialogue/framing.ts'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import type { Chunk } from '../../../proxy/smtp/command.ts'

/** The length that RFC 5321 4.5.3.1.4 allows a command line. No more of a line is kept. */
const MAX_HEAD_BYTES = 512

/** A framing that records what it finds, as one string each. */
class Found {
  readonly words: string[] = []
  readonly framing = new Framing({
    command: (verb, line, chunk) => void this.words.push(`${verb} ${line.length}${chunkText(chunk)}`),
    saslResponse: () => void this.words.push('sasl'),
    endOfBody: () => void this.words.push(`end of body ${this.framing.bodySize}`),
    overflow: () => void this.words.push('overflow'),
  })

  /** Pushes text in segments of `size` bytes. */
  push(text: string, size: number): void {
    const bytes = Buffer.from(text, 'latin1')
    for (let at = 0; at < bytes.length; at += size) this.framing.push(bytes.subarray(at, at + size), at)
  }
}

function chunkText(chunk: Chunk | undefined): string {
  return chunk ? ` chunk=${chunk.size}${chunk.last ? ' last' : ''}` : ''
}

/** A reply decided what comes next. */
type Decision = { readonly next: 'command' | 'sasl' | 'body' }

interface Case {
  readonly what: string
  readonly chunking?: true
  readonly steps: readonly (string | Decision)[]
  readonly found: readonly string[]
  readonly phase: Phase
  readonly held?: number
}

const CASES: readonly Case[] = [
  {
    what: 'a command ends at a line feed, with or without a carriage return',
    steps: ['EHLO a\r\nNOOP\n\r\nquit\r\n'],
    found: ['EHLO 8', 'NOOP 5', ' 2', 'QUIT 6'],
    phase: 'command',
  },
  { what: 'half a line is no command', steps: ['NOOP'], found: [], phase: 'command' },
  {
    what: 'only the head of a long line is kept, and nothing of it reaches the next line',
    steps: [`NOOP ${'x'.repeat(5000)}\r\nQUIT\r\n`],
    found: [`NOOP ${MAX_HEAD_BYTES}`, 'QUIT 6'],
    phase: 'command',
  },
  {
    what: 'after DATA everything waits for the reply',
    steps: ['DATA\r\nQUIT\r\n'],
    found: ['DATA 6'],
    phase: 'waiting',
    held: 6,
  },
  {
    what: 'after a refused DATA come commands',
    steps: ['DATA\r\nQUIT\r\n', { next: 'command' }],
    found: ['DATA 6', 'QUIT 6'],
    phase: 'command',
  },
  {
    what: 'after an accepted DATA comes a body, and after its dot a command',
    steps: ['DATA\r\nQUIT\r\n.\r\nRSET\r\n', { next: 'body' }],
    found: ['DATA 6', 'end of body 6', 'RSET 6'],
    phase: 'command',
  },
  {
    what: 'a body spans many segments; its bytes count without the final line',
    steps: ['DATA\r\n', { next: 'body' }, 'a\r\n', '..\r\n', '.\r', '\n'],
    found: ['DATA 6', 'end of body 7'],
    phase: 'command',
  },
  {
    what: 'a dot at the very start ends an empty body',
    steps: ['DATA\r\n', { next: 'body' }, '.\r\n'],
    found: ['DATA 6', 'end of body 0'],
    phase: 'command',
  },
  {
    what: 'a second body is counted from zero',
    steps: ['DATA\r\n', { next: 'body' }, 'abc\r\n.\r\n', 'DATA\r\n', { next: 'body' }, 'a\r\n.\r\n'],
    found: ['DATA 6', 'end of body 5', 'DATA 6', 'end of body 3'],
    phase: 'command',
  },
  {
    what: 'after AUTH everything waits for the reply',
    steps: ['AUTH LOGIN\r\nUVVJVA==\r\n'],
    found: ['AUTH 12'],
    phase: 'waiting',
    held: 10,
  },
  {
    what: 'a line that a 334 asks for is no command, whatever it looks like; after it the next reply decides',
    steps: ['AUTH LOGIN\r\nQUIT\r\nDATA\r\n', { next: 'sasl' }],
    found: ['AUTH 12', 'sasl'],
    phase: 'waiting',
    held: 6,
  },
  {
    what: 'half a SASL line is not held',
    steps: ['AUTH LOGIN\r\n', { next: 'sasl' }, 'UVVJ'],
    found: ['AUTH 12'],
    phase: 'sasl',
  },
  {
    what: 'after STARTTLS everything waits',
    steps: ['STARTTLS\r\nx'],
    found: ['STARTTLS 10'],
    phase: 'waiting',
    held: 1,
  },
  {
    what: 'a BDAT chunk is counted, not read',
    chunking: true,
    steps: ['BDAT 8\r\nQUIT\r\n.\rBDAT 0 LAST\r\nRSET\r\n'],
    found: ['BDAT 8 chunk=8', 'BDAT 13 chunk=0 last', 'RSET 6'],
    phase: 'command',
  },
  {
    what: 'a chunk continues in the next segment',
    chunking: true,
    steps: ['BDAT 8\r\nQUIT'],
    found: ['BDAT 8 chunk=8'],
    phase: 'chunk',
  },
  {
    what: 'the length of a BDAT without CHUNKING is not trusted',
    steps: ['BDAT 8\r\nQUIT\r\n'],
    found: ['BDAT 8'],
    phase: 'unknown',
  },
  {
    what: 'nor is that of a malformed BDAT',
    chunking: true,
    steps: ['BDAT x\r\nQUIT\r\n'],
    found: ['BDAT 8'],
    phase: 'unknown',
  },
  {
    what: 'after an unknown verb nothing is read until its reply, and nothing is held',
    steps: ['FOO\r\nQUIT\r\n', { next: 'command' }, 'RSET\r\n'],
    found: ['UNKNOWN 5', 'RSET 6'],
    phase: 'command',
  },
]

describe('Framing', () => {
  for (const { what, chunking, steps, found, phase, held = 0 } of CASES) {
    for (const size of [Number.MAX_SAFE_INTEGER, 1, 2, 3, 7]) {
      test(`${what} (${size > 100 ? 'whole' : `segments of ${size}`})`, () => {
        const sight = new Found()
        sight.framing.chunking = chunking ?? false
        for (const step of steps) decideOrPush(sight, step, size)
        assert.deepEqual(sight.words, found)
        assert.equal(sight.framing.phase, phase)
        assert.equal(sight.framing.heldBytes, held)
        assert.equal(sight.framing.inCommand, phase === 'command')
      })
    }
  }

  test('knows whether a command line is unfinished', () => {
    const { framing } = new Found()
    framing.push(Buffer.from('NO'), 0)
    assert.equal(framing.inLine, true)
    framing.push(Buffer.from('OP\r\n'), 0)
    assert.equal(framing.inLine, false)
  })

  test('reports when each thing was sent, also what had to wait', () => {
    const times: number[] = []
    const framing = new Framing({
      command: (_verb, _line, _chunk, at) => void times.push(at),
      saslResponse: () => {},
      endOfBody: (at) => void times.push(at),
      overflow: () => {},
    })
    framing.push(Buffer.from('DATA\r\n'), 1)
    framing.push(Buffer.from('body\r\n'), 2)
    framing.push(Buffer.from('.\r\n'), 3)
    framing.next('body')
    framing.release()
    assert.deepEqual(times, [1, 3])
  })

  test('knows whether bytes follow an unknown verb', () => {
    const { framing } = new Found()
    framing.push(Buffer.from('FOO\r\n'), 0)
    assert.equal(framing.sawUnknownBytes, false)
    framing.push(Buffer.from('x'), 0)
    assert.equal(framing.sawUnknownBytes, true)
    framing.next('command')
    framing.push(Buffer.from('BAR\r\n'), 0)
    assert.equal(framing.sawUnknownBytes, false, 'the next unknown verb begins a new count')
  })

  test('reads nothing while it is blocked, and continues where it stopped', () => {
    const sight = new Found()
    sight.framing.block(true)
    sight.push('NOOP\r\nQU', 3)
    assert.deepEqual([sight.words, sight.framing.heldBytes, sight.framing.inCommand], [[], 8, false])
    sight.framing.block(false)
    sight.framing.release()
    sight.push('IT\r\n', 3)
    assert.deepEqual([sight.words, sight.framing.heldBytes], [['NOOP 6', 'QUIT 6'], 0])
  })

  test('keeps copies: the reader may reuse its buffer', () => {
    const sight = new Found()
    const buffer = Buffer.from('DATA\r\nNOOP\r\nQU')
    sight.framing.push(buffer, 0)
    buffer.fill('x')
    sight.framing.next('command')
    sight.framing.release()
    const rest = Buffer.from('IT\r\n')
    sight.framing.push(rest, 0)
    assert.deepEqual(sight.words, ['DATA 6', 'NOOP 6', 'QUIT 6'])
  })

  test('clear() drops everything', () => {
    const sight = new Found()
    sight.push('DATA\r\nheld', 99)
    sight.framing.clear()
    assert.deepEqual([sight.framing.phase, sight.framing.heldBytes, sight.framing.inLine], ['command', 0, false])
    sight.push('QUIT\r\n', 99)
    assert.deepEqual(sight.words, ['DATA 6', 'QUIT 6'])
  })

  test('clear() also drops half a line and half a chunk', () => {
    const sight = new Found()
    sight.framing.chunking = true
    sight.push('BDAT 9\r\nx', 99)
    sight.framing.clear()
    sight.push('NO', 99)
    sight.framing.clear()
    sight.push('QUIT\r\n', 99)
    assert.deepEqual(sight.words, ['BDAT 8 chunk=9', 'QUIT 6'])
  })

  test('reports an overflow if a reader that should have paused goes four times too far', () => {
    const sight = new Found()
    sight.push('DATA\r\n', 99)
    sight.push('x'.repeat(4 * MAX_HELD_BYTES), 1000)
    assert.deepEqual(sight.words, ['DATA 6'])
    sight.push('x', 1)
    assert.deepEqual(sight.words, ['DATA 6', 'overflow'])
  })
})

/** A dialogue in which DATA was sent and not answered, and this number of bytes after it. */
function holding(count: number): { readonly dialogue: Dialogue; readonly events: SessionEvent[] } {
  const events: SessionEvent[] = []
  const dialogue = new Dialogue((event) => events.push(event))
  dialogue.client(Buffer.from('DATA\r\n'), 0)
  for (let left = count; left > 0; left -= 1000) dialogue.client(Buffer.alloc(Math.min(1000, left)), 0)
  return { dialogue, events }
}

describe('A dialogue that holds copies', () => {
  test('is full at MAX_HELD_BYTES', () => {
    assert.equal(holding(MAX_HELD_BYTES - 1).dialogue.position.full, false)
    assert.equal(holding(MAX_HELD_BYTES).dialogue.position.full, true)
  })

  test('is no longer full once the reply came', () => {
    const { dialogue } = holding(MAX_HELD_BYTES)
    dialogue.reply({ bytes: Buffer.from('354 go\r\n'), code: 354 }, 1)
    assert.deepEqual([dialogue.position.full, dialogue.position.inBody], [false, true])
  })

  test('gives up at four times as much: the session is opaque, and the copies are freed', () => {
    const { dialogue, events } = holding(4 * MAX_HELD_BYTES + 1)
    assert.deepEqual(events, [{ type: 'session-opaque', at: 0, reason: 'overflow' }])
    assert.deepEqual(
      [dialogue.position.opaque, dialogue.position.full, dialogue.position.inCommand],
      [true, false, false],
    )
  })
})

function decideOrPush(sight: Found, step: string | Decision, size: number): void {
  if (typeof step === 'string') return sight.push(step, size)
  sight.framing.next(step.next)
  sight.framing.release()
}
