/** Several event loops (PROXY_WORKERS): one set of listeners, session limits and metrics. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { createTransport } from 'nodemailer'
import { AUTH_PLAIN, ask, mail, send } from '../../simulator/client.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { type TemporaryFiles, temporaryDirectory, writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { type ProxyProcess, startProxy } from '../../support/processes/proxy-process.ts'
import { loggedIn } from '../../support/processes/running-proxy.ts'
import { inThreads } from '../../support/processes/worker-threads.ts'
import { connectClient, startTls } from '../../support/sockets/scripted-peers.ts'
import { type Authority, makeAuthority } from '../../support/tls/certificates.ts'
import { until } from '../../support/waiting/until.ts'

describe('three event loops (PROXY_WORKERS=3)', () => {
  let simulator: Simulator
  let proxy: ProxyProcess
  let files: TemporaryFiles<'cert.pem' | 'key.pem'>
  let ca: string
  let authority: Authority

  before(async () => {
    authority = await makeAuthority()
    const { certPem, keyPem } = await authority.issue({ dnsNames: ['localhost'] })
    files = writeTemporaryFiles({ 'cert.pem': certPem, 'key.pem': keyPem })
    ca = authority.certPem
    simulator = await startSimulator()
    proxy = await startProxy({
      PROXY_WORKERS: '3',
      PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
      PROXY_UPSTREAM_CA_FILE: simulator.caFile,
      PROXY_TLS_CERT_FILE: files.paths['cert.pem'],
      PROXY_TLS_KEY_FILE: files.paths['key.pem'],
      PROXY_MAX_SESSIONS: '40',
      PROXY_WARM_CONNECTIONS: '0',
      PROXY_DRAIN_TIMEOUT: '9s', // the 421s to idle sessions are spread over a third of it
    })
  })
  after(async () => {
    await proxy?.stop('SIGKILL')
    await simulator?.close()
    files?.remove()
  })

  test('messages are relayed, whichever loop accepts the connection and whichever issued the TLS ticket (TLC-18)', async () => {
    const transport = {
      host: '127.0.0.1',
      port: proxy.port,
      requireTLS: true,
      tls: { ca, servername: 'localhost' },
      auth: { user: 'app', pass: 'secret' },
    }
    const messages = Array.from({ length: 30 }, (_, index) =>
      createTransport(transport).sendMail({ from: 'a@example.com', to: 'b@example.net', text: `message ${index}` }),
    )
    for (const { response } of await Promise.all(messages)) assert.match(response, /^250 /)
  })

  test('one page counts the messages of all loops', async () => {
    await untilIdle()
    const page = await proxy.metrics()
    assert.match(page, /^smtp_proxy_transactions_total\{smtp_transaction_outcome="accepted",.*\} 30$/m)
    const { received } = simulator.ledger.summary()
    assert.match(
      page,
      new RegExp(`^smtp_proxy_io_bytes_total\\{network_io_direction="transmit"\\} ${received.tls}$`, 'm'),
    )
  })

  test('each loop that relays mail reports its load, its delay and its heap', async () => {
    const seriesOf = (page: string, name: string) => [
      ...page.matchAll(new RegExp(`^${name}\\{smtp_loop="(\\d+)".*$`, 'gm')),
    ]
    let page = ''
    while (seriesOf(page, 'smtp_proxy_loop_delay_seconds_count').length < 3) page = await proxy.metrics()
    for (const name of ['smtp_proxy_loop_time_seconds_total', 'smtp_proxy_loop_heap_bytes']) {
      const loops = new Set(seriesOf(page, name).map(([, loop]) => loop))
      assert.deepEqual([...loops].toSorted(), ['0', '1', '2'], name)
    }
    assert.doesNotMatch(page, /^smtp_proxy_loop_heap_bytes.* (0|\d{1,6})$/m)
  })

  test('the limit of sessions applies to all loops together (MEM-02)', async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => connectClient({ port: proxy.port })))
    const greetings = await Promise.all(clients.map((client) => client.readReply()))
    assert.equal(greetings.filter((greeting) => greeting.startsWith('220 ')).length, 40)
    assert.equal(greetings.filter((greeting) => greeting.startsWith('421 4.3.2 ')).length, 10)
    // each loop closes its own refused connections, and all are counted
    const cut = /^smtp_proxy_refused_cut_total\{smtp_refused_cut="time".*\} 10$/m
    while (!cut.test(await proxy.metrics())) await new Promise((turn) => setTimeout(turn, 20))
    for (const client of clients) client.destroy()
    await untilIdle()
  })

  test('when the certificate files change, every loop serves the new certificate without a signal (TLC-16)', async () => {
    const { certPem, keyPem } = await authority.issue({ dnsNames: ['localhost', 'renewed.example'] })
    writeFileSync(files.paths['key.pem'], keyPem)
    writeFileSync(files.paths['cert.pem'], certPem)
    await proxy.line(({ msg }) => msg === 'certificate reloaded', 15_000)
    // the loops load it one by one: until the last one has, some handshakes still show the old certificate
    for (let renewed = 0; renewed < 12; renewed += 1) {
      if (!(await namesOfCertificate()).includes('renewed.example')) renewed = 0
    }
  })

  async function namesOfCertificate(): Promise<string> {
    const client = await connectClient({ port: proxy.port })
    await client.readReply()
    await ask(client, 'EHLO app')
    await startTls(client, { ca, servername: 'localhost' })
    const names = client.tls?.getPeerCertificate().subjectaltname ?? ''
    client.destroy()
    return names
  }

  test('SIGTERM drains all loops: a message in flight gets its reply, and the exit code is 0 (LIF-02)', async () => {
    const [busy, idle] = [await connectClient({ port: proxy.port }), await connectClient({ port: proxy.port })]
    for (const client of [busy, idle]) await client.readReply()
    const mail = ['EHLO app', AUTH_PLAIN, 'MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.net>', 'DATA']
    for (const line of mail) await ask(busy, line)
    const ended = proxy.stop()
    await proxy.line(({ msg }) => msg === 'drain')
    assert.match(await idle.readReply(), /^421 4\.3\.2 /)
    assert.match(await ask(busy, 'Subject: in flight\r\n\r\n.'), /^250 /)
    assert.match(await ask(busy, 'QUIT'), /^221 /)
    for (const client of [busy, idle]) client.destroy()
    assert.equal(await ended, 0)
    await assert.rejects(
      new Promise((settle, fail) => connect(proxy.port, '127.0.0.1').on('connect', settle).on('error', fail)),
    )
  })

  async function untilIdle(): Promise<void> {
    const active = /^smtp_proxy_session_active\{.*\} ([1-9]\d*)$/m
    while (active.test(await proxy.metrics())) await new Promise((turn) => setTimeout(turn, 20))
  }
})

test('connections are preconnected even with more event loops than PROXY_WARM_CONNECTIONS', async () => {
  await using simulator = await startSimulator()
  await using proxy = await startProxy({
    PROXY_WORKERS: '9',
    PROXY_WARM_CONNECTIONS: '8',
    PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
    PROXY_UPSTREAM_CA_FILE: simulator.caFile,
  })
  let [sessions, dials] = [0, 0]
  // the kernel distributes connections at random
  for (; dials <= sessions && sessions < 500; sessions += 50) {
    const clients = await Promise.all(Array.from({ length: 50 }, () => connectClient({ port: proxy.port })))
    for (const client of clients) await client.readReply()
    for (const client of clients) client.destroy()
    const page = await proxy.metrics()
    dials = sumOf(page, 'dials')
  }
  assert.ok(dials > sessions, `${dials} dials for ${sessions} sessions`)
})

test('after one session, every event loop has a connection ready, with one DNS lookup each', async () => {
  await using simulator = await startSimulator()
  await using proxy = await startProxy({
    PROXY_WORKERS: '3',
    PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
    PROXY_UPSTREAM_CA_FILE: simulator.caFile,
  })
  const client = await connectClient({ port: proxy.port })
  await client.readReply()
  await until('its own connection, and one for each loop', async () => {
    const page = await proxy.metrics()
    assert.ok(sumOf(page, 'lookups') <= 6, 'each loop looks the name up once, and perhaps again after five seconds')
    return sumOf(page, 'dials') === 4
  })
  assert.equal(simulator.ledger.summary().sessions.opened, 4)
  client.destroy()
})

/** The sum of all series of a counter of upstreams. */
function sumOf(page: string, name: string): number {
  const found = page.matchAll(new RegExp(`^smtp_proxy_upstream_${name}_total\\{.*\\} (\\d+)$`, 'gm'))
  return [...found].reduce((sum, [, value]) => sum + Number(value), 0)
}

test('a port that is taken is reported once, with its setting, and the exit code is 1', async () => {
  await using first = await startProxy({ PROXY_UPSTREAM: 'smtp://127.0.0.1:9?tls=off' })
  const second = startProxy({
    PROXY_WORKERS: '2',
    PROXY_LISTEN: `smtp://127.0.0.1:${first.port}`,
    PROXY_UPSTREAM: 'smtp://127.0.0.1:9?tls=off',
  })
  await assert.rejects(second, /PROXY_LISTEN: cannot listen on .*: the port is taken/)
})

/** A proxy with two workers, in which this code runs once the proxy listens. */
async function startWithBug(context: TestContext, bug: string): Promise<ProxyProcess> {
  const threads = inThreads(`setInterval(() => { if (triggered()) ${bug} }, 20)`)
  context.after(threads.remove)
  const env = { PROXY_WORKERS: '2', PROXY_UPSTREAM: 'smtp://127.0.0.1:9?tls=off' }
  const proxy = await startProxy(env, threads.options)
  threads.trigger()
  return proxy
}

test('a worker that exits without an exception ends the process as well (LIF-10)', async (context) => {
  await using proxy = await startWithBug(context, 'process.exit(3)')
  assert.equal(await proxy.exited, 1)
  assert.equal(proxy.lines.at(-1)?.msg, 'stop')
})

test('an exception in a worker ends the process: the log has its stack, but not its message (LIF-10)', async (context) => {
  await using proxy = await startWithBug(context, "throw new RangeError('CANARY user@example.com')")
  const line = await proxy.line(({ msg }) => msg === 'crash')
  assert.equal(line.type, 'RangeError')
  assert.equal(await proxy.exited, 1)
  assert.equal(proxy.lines.at(-1)?.msg, 'stop')
  assert.doesNotMatch(JSON.stringify(proxy.lines) + proxy.stderr, /CANARY/)
})

test('what a worker relayed right before an exception is still counted', async (context) => {
  await using simulator = await startSimulator()
  const threads = inThreads(`
    const { Socket } = await import('node:net')
    const { write } = Socket.prototype
    let inBody = false
    Socket.prototype.write = function (bytes, ...rest) {
      if (inBody && bytes.includes('250 ')) setImmediate(() => { throw new RangeError('a bug') })
      if (bytes.includes('354 ')) inBody = true
      return write.call(this, bytes, ...rest)
    }`)
  context.after(threads.remove)
  const env = {
    PROXY_WORKERS: '2',
    PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
    PROXY_UPSTREAM_CA_FILE: simulator.caFile,
  }
  await using proxy = await startProxy(env, threads.options)
  const [client] = await loggedIn(proxy, 1)
  assert.equal(await send(client!, mail()), '250 250 354 250')
  assert.equal(await proxy.exited, 1)
  const outcomes = proxy.lines
    .filter(({ msg }) => msg === 'transaction')
    .map((line) => line['smtp.transaction.outcome'])
  assert.deepEqual(outcomes, ['accepted'])
})

test('a thread that cannot exit yet, as during a DNS lookup without answer, does not delay the last log line', async (context) => {
  using folder = temporaryDirectory('workers-')
  const pipe = join(folder.path, 'pipe')
  execFileSync('mkfifo', [pipe])
  // like a lookup, opening a pipe without a writer takes a thread of libuv, and cannot be cancelled
  const threads = inThreads(`const { open } = await import('node:fs'); open(${JSON.stringify(pipe)}, 'r', () => {})`)
  context.after(threads.remove)
  const env = { PROXY_WORKERS: '2', PROXY_UPSTREAM: 'smtp://127.0.0.1:9?tls=off' }
  await using proxy = await startProxy(env, threads.options)
  const ended = proxy.stop()
  await proxy.line(({ msg }) => msg === 'stop', 10_000)
  closeSync(openSync(pipe, 'r+'))
  assert.equal(await ended, 0)
})
