import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { createLogger, type LogEntry } from '../../../otel/export/logger.ts'
import { uncounted } from '../../../otel/export/losses.ts'

test('a logged error keeps its message and loses its properties (PRV-09)', () => {
  let text = ''
  const { logger } = createLogger({
    level: 'info',
    losses: uncounted,
    destination: { write: (line) => (text += line) },
  })
  logger.error(
    {
      err: Object.assign(new TypeError('canary-message'), {
        code: 'ERR_X',
        chunk: Buffer.from('canary-chunk'),
        secret: 1,
      }),
    },
    'listener lost',
  )
  const { err } = JSON.parse(text)
  assert.deepEqual(Object.keys(err), ['type', 'code', 'stack', 'message'])
  assert.equal(err.message, 'canary-message')
  assert.doesNotMatch(text, /canary-chunk|"secret"/)
})

test('emit receives the fields of a line, and the ids of its span separately', () => {
  const entries: LogEntry[] = []
  const destination = { write() {} }
  const { logger } = createLogger({
    level: 'info',
    losses: uncounted,
    destination,
    emit: (entry) => entries.push(entry),
  })
  const ids = { trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331', trace_flags: '01' }
  logger.warn({ 'smtp.reply.code': 553, ...ids }, 'transaction')
  logger.info('stop')
  logger.debug('not enabled')
  logger.info({ 'smtp.reply.code': 250, trace_id: ids.trace_id, trace_flags: '00' }, 'transaction')
  logger.error({ err: new TypeError('broken') }, 'listener lost')
  const [warn, info, unkept, error] = entries
  assert.deepEqual(warn, {
    level: 'warn',
    message: 'transaction',
    attributes: { 'smtp.reply.code': 553 },
    trace: { traceId: ids.trace_id, spanId: ids.span_id, traceFlags: 1 },
  })
  assert.deepEqual(info, { level: 'info', message: 'stop', attributes: {} })
  assert.deepEqual(unkept?.attributes, { 'smtp.reply.code': 250, trace_id: ids.trace_id })
  assert.equal(unkept?.trace, undefined)
  assert.deepEqual(Object.keys(error?.attributes.err as object), ['type', 'stack', 'message'])
  assert.equal(entries.length, 4)
})

const module = new URL('../../../otel/export/logger.ts', import.meta.url).href

/** Runs a program that logs to its stdout, which stays unread until the test reads it. The program reports over IPC. */
function logging(context: TestContext, body: string): ChildProcess {
  const source = `import { createLogger } from ${JSON.stringify(module)}
    const losses = { stdout_full: 0, count(signal, loss, items = 1) { this[loss] += items } }
    const output = createLogger({ level: 'info', losses })
    ${body}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  context.after(() => child.kill('SIGKILL'))
  return child
}

const FLOOD = `
  const line = { filler: 'x'.repeat(200) }
  const flood = (lines) => { for (let at = 0; at < lines; at++) output.logger.info(line, 'flood') }`

test('if the reader stops, the process continues with bounded memory, and can exit', async (context) => {
  const child = logging(
    context,
    `${FLOOD}
    flood(10_000)
    const before = process.memoryUsage().heapUsed
    flood(200_000)
    const grown = process.memoryUsage().heapUsed - before
    output.logger.fatal('even this does not wait')
    const flushing = performance.now()
    await output.flush(200)
    process.send({ dropped: output.dropped, counted: losses.stdout_full, grown, flushMs: performance.now() - flushing }, () => process.exit(0))`,
  )
  const [report] = await once(child, 'message')
  assert.ok(report.dropped > 190_000, `dropped ${report.dropped}`)
  assert.equal(report.counted, report.dropped)
  assert.ok(report.grown < 32 * 1024 * 1024, `heap grew by ${report.grown}`)
  assert.ok(report.flushMs >= 190 && report.flushMs < 4000, `flush took ${report.flushMs} ms`)
  const [code] = await once(child, 'exit')
  assert.equal(code, 0)
})

test('a reader that continues gets the number of dropped lines', async (context) => {
  const child = logging(
    context,
    `${FLOOD}
    flood(20_000)
    process.send('flooded')
    const keep = setInterval(() => {}, 1000)
    process.on('message', async () => { await output.flush(5000); process.exit(0) })`,
  )
  await once(child, 'message')
  let text = ''
  const missed = new Promise<number>((settle) => {
    child.stdout?.on('data', (chunk) => {
      text += chunk
      const found = text.match(/"dropped":(\d+)\D/)?.[1] // a chunk may end inside the number
      if (found) settle(Number(found))
    })
  })
  const dropped = await missed
  const read = text.split('"msg":"flood"').length - 1
  assert.equal(read + dropped, 20_000)
  child.send('end')
  const [code] = await once(child, 'exit')
  assert.equal(code, 0)
})

test('flush waits for all lines', async (context) => {
  const child = logging(
    context,
    `${FLOOD}
    flood(1000)
    output.logger.info('last')
    await output.flush(5000)
    process.exit(0)`,
  )
  let text = ''
  child.stdout?.on('data', (chunk) => (text += chunk))
  await once(child, 'close')
  const lines = text.trimEnd().split('\n')
  assert.equal(lines.length, 1001)
  assert.match(lines.at(-1) ?? '', /"msg":"last"/)
})

test('if the reader leaves, the process continues', async (context) => {
  const child = logging(
    context,
    `${FLOOD}
    process.send('started')
    process.on('message', async () => {
      flood(1000)
      await output.flush(500)
      flood(1000)
      process.send('alive', () => process.exit(0))
    })`,
  )
  await once(child, 'message')
  child.stdout?.destroy()
  child.send('go')
  assert.deepEqual((await once(child, 'message'))[0], 'alive')
})
