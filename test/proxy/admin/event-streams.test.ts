/** Streams of the admin server: their query, their number, and readers that do not read. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Stream } from '../../../proxy/admin/admin.ts'
import { admin, closed, request } from '../../support/in-process/admin-rig.ts'
import { until } from '../../support/waiting/until.ts'

/** An open response of a stream. */
async function opened(context: TestContext, port: number, path: string): Promise<IncomingMessage> {
  const sent = get({ host: '127.0.0.1', port, path, agent: false })
  context.after(() => sent.destroy())
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return response
}

test('a stream gets the query, and its reader a response at once', async (context) => {
  const queries: string[] = []
  const stream: Stream = ({ send }, query) => {
    queries.push(query.toString())
    send('data: 1\n\n')
    return () => {}
  }
  const { port } = await admin(context, { streams: new Map([['/stream', stream]]) })
  const response = await opened(context, port, '/stream?a=1&b=2?3')
  assert.equal(response.statusCode, 200)
  assert.equal(response.headers['content-type'], 'text/event-stream; charset=utf-8')
  assert.equal(response.headers['cache-control'], 'no-store')
  assert.equal(String((await once(response, 'data'))[0]), 'data: 1\n\n')
  assert.deepEqual(queries, ['a=1&b=2%3F3'])
})

test('a stream that refuses its query answers 400 with the reason, and counts as no stream', async (context) => {
  const stream: Stream = (_, query) => (query.has('a') ? () => {} : 'a is missing')
  const server = await admin(context, { streams: new Map([['/stream', stream]]), limits: { streams: 1 } })
  for (let count = 0; count < 3; count += 1) {
    const { status, headers, text } = await request(server, '/stream')
    assert.deepEqual([status, text], [400, 'a is missing\n'])
    assert.equal(headers.get('content-type'), 'text/plain; charset=utf-8')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
  }
  assert.equal((await opened(context, server.port, '/stream?a')).statusCode, 200)
})

test('a stream beyond the limit is refused until another one ends', async (context) => {
  let stopped = 0
  const stream: Stream = () => () => {
    stopped += 1
  }
  const server = await admin(context, { streams: new Map([['/stream', stream]]), limits: { streams: 1 } })
  const first = await opened(context, server.port, '/stream')
  assert.equal((await request(server, '/stream')).status, 503)
  first.destroy()
  await until('the stream is stopped', () => stopped === 1)
  assert.equal((await opened(context, server.port, '/stream')).statusCode, 200)
})

test('a stream sees what its reader has not taken, and a reader for which too much waits is cut', async (context) => {
  const waiting: number[] = []
  let stopped = false
  const stream: Stream = (reader) => {
    const timer = setInterval(() => {
      waiting.push(reader.waiting())
      reader.send(`data: ${'x'.repeat(200_000)}\n\n`)
    }, 5)
    return () => {
      clearInterval(timer)
      stopped = true
    }
  }
  const { port } = await admin(context, { streams: new Map([['/stream', stream]]), limits: { streamBytes: 1e6 } })
  const silent = net.connect(port, '127.0.0.1').pause()
  silent.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n')
  await until('the stream is stopped', () => stopped)
  silent.resume()
  await closed(silent)
  assert.ok(Math.max(...waiting) > 0 && Math.max(...waiting) <= 1e6, `${Math.max(...waiting)}`)
})

test('what a stream sends in the turn of the close still arrives', async (context) => {
  let send = (_: string) => {}
  const stream: Stream = (reader) => {
    send = reader.send
    return () => {}
  }
  const server = await admin(context, { streams: new Map([['/stream', stream]]) })
  const response = await opened(context, server.port, '/stream')
  response.on('error', () => {})
  const data = once(response, 'data')
  send('data: last\n\n')
  await server.close()
  assert.equal(String((await data)[0]), 'data: last\n\n')
})
