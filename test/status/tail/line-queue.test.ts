/** The lines that wait for one reader. */
import assert from 'node:assert/strict'
import { mock, type TestContext, test } from 'node:test'
import { LineQueue, MAX_WAITING } from '../../../status/tail/line-queue.ts'

/** A reader that has not taken `waiting` bytes. */
class Reader {
  waitingBytes = 0
  readonly sent: string[] = []
  readonly send = (text: string) => void this.sent.push(text)
  readonly waiting = () => this.waitingBytes
}

function queueOf(context: TestContext): { readonly reader: Reader; readonly queue: LineQueue } {
  mock.timers.enable({ apis: ['setTimeout'] })
  context.after(() => mock.timers.reset())
  const reader = new Reader()
  return { reader, queue: new LineQueue(reader) }
}

test('lines of a moment are sent together', (context) => {
  const { reader, queue } = queueOf(context)
  queue.add('{"a":1}')
  queue.add('{"a":2}')
  assert.deepEqual(reader.sent, [])
  mock.timers.tick(50)
  assert.deepEqual(reader.sent, ['data: {"a":1}\n\ndata: {"a":2}\n\n'])
  mock.timers.tick(1000)
  assert.equal(reader.sent.length, 1)
})

test('a reader that reads too slowly loses lines, and gets their number where they are missing', (context) => {
  const { reader, queue } = queueOf(context)
  reader.waitingBytes = 1
  const line = 'x'.repeat(MAX_WAITING / 3)
  for (let count = 0; count < 10; count += 1) queue.add(line)
  queue.add('short')
  mock.timers.tick(1000)
  assert.deepEqual(reader.sent, [])
  reader.waitingBytes = 0
  mock.timers.tick(50)
  assert.deepEqual(reader.sent, [`${`data: ${line}\n\n`.repeat(3)}event: lost\ndata: 8\n\n`])
  queue.add('next')
  mock.timers.tick(50)
  assert.equal(reader.sent[1], 'data: next\n\n')
})

test('what waits is sent when the proxy stops, and forgotten when the reader leaves', (context) => {
  const { reader, queue } = queueOf(context)
  queue.add('last')
  queue.end()
  assert.deepEqual(reader.sent, ['data: last\n\n', 'event: stopped\ndata: the proxy stops\n\n'])
  queue.add('later')
  queue.close()
  mock.timers.tick(1000)
  assert.equal(reader.sent.length, 2)
})
