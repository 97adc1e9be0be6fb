import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, describe, type TestContext, test } from 'node:test'
import { createTransport } from 'nodemailer'
import { LocalAdmission, SharedAdmission } from '../../../proxy/server/admission.ts'
import { AUTH_PLAIN, ask } from '../../simulator/client.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { type Authority, makeAuthority, type TemporaryFiles, writeTemporaryFiles } from '../../support/certificates.ts'
import { inThreads } from '../../support/in-threads.ts'
import { connectClient, startTls } from '../../support/peers.ts'
import { type ProxyProcess, startProxy } from '../../support/proxy-process.ts'

const CAPS = { sessions: 3, perClient: 2 }

for (const [name, make] of [
  ['one event loop', () => new LocalAdmission(CAPS)],
  ['shared memory', () => new SharedAdmission(CAPS, SharedAdmission.memory())],
] as const) {
  test(`the caps hold, and a place is free again when a session leaves (${name})`, () => {
    const admission = make()
    assert.deepEqual(
      ['a', 'a', 'a', 'b', 'b'].map((client) => admission.enter(client)),
      [true, true, false, true, false],
    )
    admission.leave('a')
    assert.deepEqual(
      ['b', 'b', 'a'].map((client) => admission.enter(client)),
      [true, false, false],
    )
  })
}

test('no cap a client is no cap, and two loops share the count of all', () => {
  const memory = SharedAdmission.memory()
  const [one, other] = [
    new SharedAdmission({ sessions: 3, perClient: 0 }, memory),
    new SharedAdmission({ sessions: 3, perClient: 0 }, memory),
  ]
  assert.deepEqual([one.enter('a'), other.enter('a'), one.enter('a'), other.enter('a')], [true, true, true, false])
})

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
      PROXY_DRAIN_TIMEOUT: '9s', // farewells are spread over a third of it
    })
  })
  after(async () => {
    await proxy?.stop('SIGKILL')
    await simulator?.close()
    files?.remove()
  })

  test('mails go through, whichever loop gets the connection and whichever made the TLS ticket (TLC-18)', async () => {
    const transport = {
      host: '127.0.0.1',
      port: proxy.port,
      requireTLS: true,
      tls: { ca, servername: 'localhost' },
      auth: { user: 'app', pass: 'secret' },
    }
    const mails = Array.from({ length: 30 }, (_, index) =>
      createTransport(transport).sendMail({ from: 'a@example.com', to: 'b@example.net', text: `mail ${index}` }),
    )
    for (const { response } of await Promise.all(mails)) assert.match(response, /^250 /)
  })

  test('one page counts the mails of all loops', async () => {
    await untilIdle()
    const page = await proxy.metrics()
    assert.match(page, /^smtp_proxy_transactions_total\{smtp_transaction_outcome="accepted",.*\} 30$/m)
    const { received } = simulator.ledger.summary()
    assert.match(
      page,
      new RegExp(`^smtp_proxy_io_bytes_total\\{network_io_direction="transmit"\\} ${received.tls}$`, 'm'),
    )
  })

  test('each loop that relays mail tells how busy and how late it is, and what its heap holds', async () => {
    const told = (page: string, name: string) => [
      ...page.matchAll(new RegExp(`^${name}\\{smtp_loop="(\\d+)".*$`, 'gm')),
    ]
    let page = ''
    while (told(page, 'smtp_proxy_loop_delay_seconds_count').length < 3) page = await proxy.metrics()
    for (const name of ['smtp_proxy_loop_time_seconds_total', 'smtp_proxy_loop_heap_bytes']) {
      const loops = new Set(told(page, name).map(([, loop]) => loop))
      assert.deepEqual([...loops].toSorted(), ['0', '1', '2'], name)
    }
    assert.doesNotMatch(page, /^smtp_proxy_loop_heap_bytes.* (0|\d{1,6})$/m)
  })

  test('the cap of sessions holds over all loops (MEM-02)', async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => connectClient({ port: proxy.port })))
    const greetings = await Promise.all(clients.map((client) => client.readReply()))
    assert.equal(greetings.filter((greeting) => greeting.startsWith('220 ')).length, 40)
    assert.equal(greetings.filter((greeting) => greeting.startsWith('421 4.3.2 ')).length, 10)
    // each loop closes the refused connections that it has, and all count
    const cut = /^smtp_proxy_refused_cut_total\{smtp_refused_cut="time".*\} 10$/m
    while (!cut.test(await proxy.metrics())) await new Promise((turn) => setTimeout(turn, 20))
    for (const client of clients) client.destroy()
    await untilIdle()
  })

  test('when the certificate files change, every loop serves the new certificate, without a signal (TLC-16)', async () => {
    const { certPem, keyPem } = await authority.issue({ dnsNames: ['localhost', 'renewed.example'] })
    writeFileSync(files.paths['key.pem'], keyPem)
    writeFileSync(files.paths['cert.pem'], certPem)
    await proxy.line(({ msg }) => msg === 'certificate reloaded', 15_000)
    // the loops read it after they were told to: until the last has, one handshake in three may still show the old one
    for (let fresh = 0; fresh < 12; fresh += 1) if (!(await namesOfCertificate()).includes('renewed.example')) fresh = 0
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

  test('SIGTERM drains all loops: a mail in flight gets its answer, and the exit code is 0 (LIF-02)', async () => {
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

test('more event loops than PROXY_WARM_CONNECTIONS: connections are preconnected all the same', async () => {
  await using simulator = await startSimulator()
  await using proxy = await startProxy({
    PROXY_WORKERS: '9',
    PROXY_WARM_CONNECTIONS: '8',
    PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
    PROXY_UPSTREAM_CA_FILE: simulator.caFile,
  })
  let [sessions, dials] = [0, 0]
  // the kernel deals connections out at random, and a loop preconnects from its fifth session in ten seconds on
  for (; dials <= sessions && sessions < 500; sessions += 50) {
    const clients = await Promise.all(Array.from({ length: 50 }, () => connectClient({ port: proxy.port })))
    for (const client of clients) await client.readReply()
    for (const client of clients) client.destroy()
    const page = await proxy.metrics()
    dials = [...page.matchAll(/^smtp_proxy_upstream_dials_total\{.*\} (\d+)$/gm)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    )
  }
  assert.ok(dials > sessions, `${dials} dials for ${sessions} sessions`)
})

test('a port that is taken is told once, by its setting, and the exit code is 1', async () => {
  await using first = await startProxy({ PROXY_UPSTREAM: 'smtp://127.0.0.1:9?tls=off' })
  const second = startProxy({
    PROXY_WORKERS: '2',
    PROXY_LISTEN: `smtp://127.0.0.1:${first.port}`,
    PROXY_UPSTREAM: 'smtp://127.0.0.1:9?tls=off',
  })
  await assert.rejects(second, /PROXY_LISTEN: cannot listen on .*: the port is taken/)
})

/** Two threads that relay, in which this happens when the proxy listens, and not before. */
async function startWithBug(context: TestContext, bug: string): Promise<ProxyProcess> {
  const threads = inThreads(`setInterval(() => { if (triggered()) ${bug} }, 20)`)
  context.after(threads.remove)
  const env = { PROXY_WORKERS: '2', PROXY_UPSTREAM: 'smtp://127.0.0.1:9?tls=off' }
  const proxy = await startProxy(env, threads.options)
  threads.trigger()
  return proxy
}

test('a loop that ends without an exception ends the process too (LIF-10)', async (context) => {
  await using proxy = await startWithBug(context, 'process.exit(3)')
  assert.equal(await proxy.exited, 1)
  assert.equal(proxy.lines.at(-1)?.msg, 'stop')
})

test('an exception in one loop ends the process: where it came from is told, its message is not (LIF-10)', async (context) => {
  await using proxy = await startWithBug(context, "throw new RangeError('CANARY user@example.com')")
  const line = await proxy.line(({ msg }) => msg === 'crash')
  assert.equal(line.type, 'RangeError')
  assert.equal(await proxy.exited, 1)
  assert.equal(proxy.lines.at(-1)?.msg, 'stop')
  assert.doesNotMatch(JSON.stringify(proxy.lines) + proxy.stderr, /CANARY/)
})
