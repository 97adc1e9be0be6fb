import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { LineBatch, MAX_WRITE_BYTES } from '../../../otel/export/line-batch.ts'

/** A batch with fake time, and what it wrote. */
function batched(context: TestContext): { readonly batch: LineBatch; readonly writes: string[] } {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const writes: string[] = []
  return { batch: new LineBatch((lines) => writes.push(lines)), writes }
}

/** A line of `bytes` bytes. */
function line(bytes: number): string {
  return `${'x'.repeat(bytes - 1)}\n`
}

test('a line waits at most 20 ms, and lines that wait are written together', (context) => {
  const { batch, writes } = batched(context)
  batch.add('one\n')
  context.mock.timers.tick(19)
  batch.add('two\n')
  assert.deepEqual(writes, [])
  context.mock.timers.tick(1)
  assert.deepEqual(writes, ['one\ntwo\n'])
  batch.add('three\n')
  context.mock.timers.tick(20)
  assert.deepEqual(writes, ['one\ntwo\n', 'three\n'])
})

test('a batch is written when the next line does not fit, or when it is exactly full', (context) => {
  const { batch, writes } = batched(context)
  batch.add(line(4000))
  batch.add(line(97))
  assert.deepEqual(writes, [line(4000)])
  batch.add(line(3999))
  assert.deepEqual(writes, [line(4000), line(97) + line(3999)])
})

test('a line that is longer than a write is written alone, immediately and after the lines before it', (context) => {
  const { batch, writes } = batched(context)
  batch.add('before\n')
  batch.add(line(5000))
  batch.add('after\n')
  assert.deepEqual(writes, ['before\n', line(5000)])
})

test('flush writes the lines that wait, and nothing if none does', (context) => {
  const { batch, writes } = batched(context)
  batch.flush()
  batch.add('one\n')
  batch.flush()
  batch.flush()
  context.mock.timers.tick(20)
  assert.deepEqual(writes, ['one\n'])
})

test('for any lines, writes are whole lines in order, of at most 4096 bytes unless a line is longer', (context) => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map((part) => part.replaceAll('\n', ''))
  const lines = fc.tuple(text, fc.nat(300)).map(([part, times]) => `${part.repeat(times)}\n`)
  const { batch, writes } = batched(context)
  fc.assert(
    fc.property(fc.array(lines), (all) => {
      writes.length = 0
      for (const each of all) batch.add(each)
      batch.flush()
      assert.equal(writes.join(''), all.join(''))
      for (const write of writes) {
        assert.ok(write.endsWith('\n'))
        assert.ok(Buffer.byteLength(write) <= MAX_WRITE_BYTES || write.indexOf('\n') === write.length - 1)
      }
    }),
  )
})

test('no timer runs while no line waits, and a busy log starts one timer at a time', (context) => {
  const { batch, writes } = batched(context)
  const started = context.mock.method(globalThis, 'setTimeout').mock
  for (let at = 0; at < 100; at++) batch.add(line(1000))
  assert.equal(writes.length, 24)
  assert.equal(started.callCount(), 1)
  context.mock.timers.tick(1000)
  assert.equal(writes.length, 25)
  assert.equal(started.callCount(), 1)
})
