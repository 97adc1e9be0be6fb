/** Runs of the probe against a real proxy in front of the simulated AhaSend: every step succeeds, and every step fails. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type ProbeRun, runProbe } from '../../../app/probe/run.ts'
import type { ProbeSettings } from '../../../app/probe/settings.ts'
import { DEFAULT_ACCOUNT, type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import type { ProxyProcess } from '../../support/processes/proxy-process.ts'
import { startBefore } from '../../support/processes/running-proxy.ts'
import { listenOnLoopback } from '../../support/sockets/listen.ts'
import { ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'

const { signal: NEVER } = new AbortController()
const LOGIN = { user: DEFAULT_ACCOUNT.user, password: DEFAULT_ACCOUNT.pass }
const ENVELOPE = { from: 'probe@example.com', to: 'nobody@example.net' }

function settings(port: number, more: Partial<ProbeSettings> = {}): ProbeSettings {
  return {
    target: { scheme: 'smtp', host: '127.0.0.1', port },
    login: LOGIN,
    envelope: ENVELOPE,
    intervalMs: 60_000,
    timeoutMs: 20_000,
    tls: 'verify',
    serverName: 'localhost',
    ...more,
  }
}

function stepsOf(run: ProbeRun | undefined): string {
  return run?.succeeded.map(({ step }) => step).join(' ') ?? 'stopped'
}

const ALL = 'connect greeting ehlo auth mail rcpt rset quit'

describe('Through the proxy', () => {
  let simulator: Simulator
  let trust: Trust
  let plain: ProxyProcess
  /** Its ports: STARTTLS, and TLS from the first byte. */
  let secure: ProxyProcess

  before(async () => {
    trust = await makeTrust()
    simulator = await startSimulator()
    const cold = { PROXY_WARM_CONNECTIONS: '0' }
    plain = await startBefore(simulator, { ...cold, PROXY_LISTEN: 'smtp://127.0.0.1:0?client=probe' })
    secure = await startBefore(simulator, {
      ...cold,
      PROXY_LISTEN: 'smtp://127.0.0.1:0?client=probe,smtps://127.0.0.1:0?client=probe',
      PROXY_TLS_CERT_FILE: trust.certFile,
      PROXY_TLS_KEY_FILE: trust.keyFile,
    })
  })
  beforeEach(() => simulator.faults.clear())
  after(async () => {
    await Promise.all([plain, secure].map((proxy) => proxy?.stop('SIGKILL')))
    await simulator?.close()
    trust?.remove()
  })

  const authorities = () => ({ authorities: trust.authority.certPem })

  test('every step succeeds, and no message is sent', async () => {
    const run = await runProbe(settings(plain.port), NEVER)
    assert.equal(stepsOf(run), ALL)
    assert.equal(run?.failure, undefined)
    for (const { ms } of run?.succeeded ?? []) assert.ok(ms > 0 && ms <= run!.ms)
    const commands = simulator.ledger.commands.map(({ command }) => command)
    assert.deepEqual(commands.slice(-5), ['AUTH', 'MAIL', 'RCPT', 'RSET', 'QUIT'])
    assert.deepEqual(simulator.ledger.messages, [])
  })

  test('without a login and a sender, it tests the connection only', async () => {
    const { login: _, envelope: __, ...least } = settings(plain.port)
    const run = await runProbe(least, NEVER)
    assert.equal(stepsOf(run), 'connect greeting ehlo quit')
    assert.equal(run?.failure, undefined)
  })

  test('STARTTLS is used if it is offered, and EHLO is sent again', async () => {
    const run = await runProbe(settings(secure.port, authorities()), NEVER)
    assert.equal(stepsOf(run), ALL.replace('ehlo', 'ehlo starttls ehlo'))
    assert.equal(run?.failure, undefined)
  })

  test('TLS from the first byte', async () => {
    const target = { scheme: 'smtps', host: '127.0.0.1', port: secure.ports[1]! } as const
    const run = await runProbe(settings(0, { ...authorities(), target }), NEVER)
    assert.equal(stepsOf(run), ALL.replace('greeting', 'tls greeting'))
    assert.equal(run?.failure, undefined)
  })

  const REFUSED: readonly (readonly [fault: string, step: string, code: number])[] = [
    ['421-at-greeting', 'greeting', 421],
    ['521-at-greeting', 'greeting', 521],
    ['421-at-ehlo', 'ehlo', 421],
    ['535-at-auth', 'auth', 535],
    ['454-at-auth', 'auth', 454],
    ['521-at-mail', 'mail', 521],
    ['550-at-rcpt', 'rcpt', 550],
    ['421-at-rset', 'rset', 421],
    ['421-at-quit', 'quit', 421],
  ]
  for (const [fault, step, code] of REFUSED)
    test(`${fault} fails at the step ${step}, and no later step runs`, async () => {
      simulator.faults.set(fault)
      const run = await runProbe(settings(plain.port), NEVER)
      assert.deepEqual([run?.failure?.step, run?.failure?.error], [step, code])
      assert.equal(stepsOf(run), ALL.slice(0, ALL.indexOf(step)).trimEnd())
    })

  const BROKEN: readonly (readonly [fault: string, step: string, error: string])[] = [
    ['close-at-mail', 'mail', 'closed'],
    ['cut-at-auth', 'auth', 'closed'],
    ['silence-at-rcpt', 'rcpt', 'timeout'],
  ]
  for (const [fault, step, error] of BROKEN)
    test(`${fault} fails at the step ${step}: ${error}`, async () => {
      simulator.faults.set(fault)
      const timeoutMs = error === 'timeout' ? 1500 : 20_000
      const run = await runProbe(settings(plain.port, { timeoutMs }), NEVER)
      assert.deepEqual([run?.failure?.step, run?.failure?.error], [step, error])
      assert.ok(!stepsOf(run).includes(step))
    })

  const UNTRUSTED: readonly (readonly [what: string, more: () => Partial<ProbeSettings>, detail: RegExp])[] = [
    ['of an unknown authority', () => ({}), /UNABLE_TO|SELF_SIGNED/],
    ['with another name', () => ({ ...authorities(), serverName: 'smtp.example' }), /ERR_TLS_CERT_ALTNAME_INVALID/],
  ]
  for (const [what, more, detail] of UNTRUSTED) {
    test(`a certificate ${what} fails at the step starttls, before the login`, async () => {
      const run = await runProbe(settings(secure.port, more()), NEVER)
      assert.deepEqual([run?.failure?.step, run?.failure?.error], ['starttls', 'tls_untrusted'])
      assert.match(run?.failure?.detail ?? '', detail)
      assert.equal(stepsOf(run), 'connect greeting ehlo')
    })

    test(`a certificate ${what} is accepted with PROBE_TLS=unverified`, async () => {
      const run = await runProbe(settings(secure.port, { ...more(), tls: 'unverified' }), NEVER)
      assert.equal(run?.failure, undefined)
    })
  }

  test('a proxy without STARTTLS is a failure with PROBE_TLS=required', async () => {
    const run = await runProbe(settings(plain.port, { tls: 'required' }), NEVER)
    assert.deepEqual([run?.failure?.step, run?.failure?.error], ['starttls', 'starttls_not_offered'])
  })

  test('NODE_TLS_REJECT_UNAUTHORIZED does not turn verification off', async (context) => {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    context.after(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
    const run = await runProbe(settings(secure.port), NEVER)
    assert.equal(run?.failure?.error, 'tls_untrusted')
  })

  test('a run that is stopped has no result', async () => {
    simulator.faults.set('silence-at-mail')
    const stop = new AbortController()
    const run = runProbe(settings(plain.port), stop.signal)
    setTimeout(() => stop.abort(), 200)
    assert.equal(await run, undefined)
  })
})

describe('Without a proxy', () => {
  test('a port without a listener: connect_refused', async () => {
    const server = net.createServer()
    const port = await listenOnLoopback(server)
    await new Promise((closed) => server.close(closed))
    const run = await runProbe(settings(port), NEVER)
    assert.deepEqual(run?.failure, { step: 'connect', error: 'connect_refused', detail: 'ECONNREFUSED' })
    assert.deepEqual(run?.succeeded, [])
  })

  test('a name that does not resolve: resolve_failed', async () => {
    const target = { scheme: 'smtp', host: 'proxy.invalid', port: 25 } as const
    const run = await runProbe(settings(0, { target }), NEVER)
    assert.deepEqual([run?.failure?.step, run?.failure?.error], ['connect', 'resolve_failed'])
  })

  test('a server that never greets: timeout', async (context) => {
    const upstream = await ScriptedUpstream.start()
    context.after(() => upstream.close())
    const run = await runProbe(settings(upstream.port, { timeoutMs: 300 }), NEVER)
    assert.deepEqual([run?.failure?.step, run?.failure?.error], ['greeting', 'timeout'])
  })

  const SCRIPTS: readonly (readonly [what: string, ehlo: string, starttls: string, step: string, error: unknown])[] = [
    ['STARTTLS is refused', '250-a\r\n250 STARTTLS\r\n', '454 no\r\n', 'starttls', 454],
    [
      'bytes follow the reply to STARTTLS',
      '250-a\r\n250 STARTTLS\r\n',
      '220 go\r\n250 x\r\n',
      'starttls',
      'starttls_injection',
    ],
    ['the handshake fails', '250-a\r\n250 STARTTLS\r\n', '220 go\r\n', 'starttls', 'tls_failed'],
    ['AUTH is not offered', '250-a\r\n250 AUTH CRAM-MD5\r\n', '', 'auth', 'auth_not_offered'],
    ['EHLO is unknown', '502 no\r\n', '', 'ehlo', 502],
    ['the reply is no SMTP', 'HTTP/1.1 400 Bad Request\r\n', '', 'ehlo', 0],
  ]
  for (const [what, ehlo, starttls, step, error] of SCRIPTS)
    test(`${what}: ${error} at ${step}`, async (context) => {
      const upstream = await ScriptedUpstream.start()
      context.after(() => upstream.close())
      const run = runProbe(settings(upstream.port, { timeoutMs: 10_000 }), NEVER)
      const server = await upstream.accept()
      await server.send('220 a\r\n')
      await server.readUntil('EHLO [127.0.0.1]\r\n')
      await server.send(ehlo)
      if (starttls) {
        await server.readUntil('STARTTLS\r\n')
        await server.send(starttls)
        if (error === 'tls_failed') await server.end()
      }
      const ended = await run
      assert.deepEqual([ended?.failure?.step, ended?.failure?.error], [step, error])
    })
})
