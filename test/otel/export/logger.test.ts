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

/** Everything that a program logs. Fails if the program ends with another code. */
async function outputOf(context: TestContext, body: string, expectedCode = 0): Promise<string> {
  const child = logging(context, body)
  let text = ''
  child.stdout?.on('data', (chunk) => (text += chunk))
  const [code] = await once(child, 'close')
  assert.equal(code, expectedCode)
  return text
}

const WAITING = `output.logger.info('first'); output.logger.info('last');`

for (const [how, body, code] of [
  ['when nothing is left to do', '', 0],
  ['by process.exit', 'process.exit(0)', 0],
  // without a stack trace on standard error
  ['by an exception', `process.on('uncaughtException', () => process.exit(1)); throw new Error('lost')`, 1],
] as const) {
  test(`lines that wait are written when the process ends ${how}`, async (context) => {
    const text = await outputOf(context, `${WAITING} ${body}`, code)
    assert.match(text, /"msg":"first"}\n.*"msg":"last"}\n$/)
  })
}

/** Counts the writes of a program. It must run before the program logs. */
const WRITES = `
  const { default: fs } = await import('node:fs')
  const { write } = fs
  const writes = []
  fs.write = (fd, text, ...rest) => { writes.push(text); return write(fd, text, ...rest) }`

test('while stdout keeps up, lines are written together, as whole lines of at most 4096 bytes', async (context) => {
  const child = logging(
    context,
    `${WRITES} ${FLOOD}
    for (let batch = 0; batch < 20; batch++) {
      flood(10)
      await output.flush(5000)
    }
    output.logger.info({ filler: 'y'.repeat(5000) }, 'long')
    await output.flush(5000)
    process.send(writes, () => process.exit(0))`,
  )
  child.stdout?.resume()
  const [writes] = (await once(child, 'message')) as [string[]]
  const long = writes.pop()
  assert.equal(writes.length, 20)
  for (const text of writes) assert.ok(text.length <= 4096 && text.endsWith('\n'))
  assert.equal(long?.match(/\n/g)?.length, 1)
})

test('lines that wait for an earlier write are written together, in order, as whole lines of at most 64 KiB', async (context) => {
  const child = logging(
    context,
    `${WRITES}
    const filler = 'x'.repeat(200)
    for (let at = 0; at < 1000; at++) output.logger.info({ at, filler }, 'flood')
    await output.flush(5000)
    process.send({ writes, dropped: output.dropped }, () => process.exit(0))`,
  )
  let text = ''
  child.stdout?.on('data', (chunk) => (text += chunk))
  const [[{ writes, dropped }]] = (await Promise.all([once(child, 'message'), once(child, 'close')])) as [
    [{ writes: string[]; dropped: number }],
    unknown,
  ]
  // a full pipe takes a part of a write, and the rest is written again: so there are more than 5, but not 70
  assert.ok(writes.length < 20, `${writes.length} writes for 1000 lines of about 280 bytes`)
  for (const each of writes) assert.ok(each.length <= 65_536 && each.endsWith('\n'))
  const order = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).at)
  assert.deepEqual(
    order,
    Array.from({ length: 1000 }, (_, at) => at),
  )
  assert.equal(dropped, 0)
})

test('a line is written within about 20 ms without a flush', async (context) => {
  const child = logging(
    context,
    `${WRITES}
    output.logger.info('listening')
    const logged = performance.now()
    const poll = setInterval(() => {
      if (writes.length > 0) process.send(performance.now() - logged, () => process.exit(0))
    }, 1)`,
  )
  const [ms] = await once(child, 'message')
  assert.ok(ms > 10 && ms < 2000, `written after ${ms} ms`) // a busy machine may be late
})

test('a fatal line is written immediately, with the lines before it', async (context) => {
  const child = logging(
    context,
    `${WRITES}
    output.logger.info('before')
    const before = writes.length
    output.logger.fatal('crash')
    process.send([before, writes], () => process.exit(0))`,
  )
  const [[before, writes]] = (await once(child, 'message')) as [[number, string[]]]
  assert.equal(before, 0)
  assert.equal(writes.length, 1)
  assert.match(writes[0] ?? '', /"msg":"before"}\n.*"msg":"crash"}\n$/)
})

test('lines that wait do not keep the process alive', async (context) => {
  const text = await outputOf(
    context,
    `output.logger.info('last')
    process.channel.unref()
    const alive = () => process.getActiveResourcesInfo().includes('Timeout')
    output.logger.info({ alive: alive() }, 'timers')`,
  )
  assert.match(text, /"alive":false/)
})
