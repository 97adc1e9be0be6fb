/**
 * Plays the same script directly against the simulated AhaSend and through the proxy, over each kind of listener. The
 * client must read the same bytes and see the same kind of close. AhaSend must receive the same commands and bodies.
 *
 * Only these differences are allowed: everything before TLS (the proxy's preamble and its own STARTTLS), random message
 * ids, and incomplete replies, which the proxy does not relay.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createSecureContext } from 'node:tls'
import { type ProxyServer, startServer } from '../../proxy/server/server.ts'
import { AUTH_PLAIN } from '../simulator/client.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { configOf } from '../support/in-process/config.ts'
import { connectClient, type Ending, type Peer, startTls } from '../support/sockets/scripted-peers.ts'
import { type Certificate, makeAuthority } from '../support/tls/certificates.ts'
import { until } from '../support/waiting/until.ts'

/** What to send, and the number of replies to wait for. `FIN` ends the client's direction. */
type Step = readonly [send: string, replies: number] | 'FIN'

const LOGIN: Step = [`${AUTH_PLAIN}\r\n`, 1]
const QUIT: Step = ['QUIT\r\n', 1]
const BODY = 'Subject: hello\r\n\r\nHello.\r\n..dots\r\nQUIT\r\n.\r\n'

function mail(from = 'app@example.com', ...to: readonly string[]): Step[] {
  const recipients = (to.length > 0 ? to : ['you@example.net']).map((one): Step => [`RCPT TO:<${one}>\r\n`, 1])
  return [[`MAIL FROM:<${from}>\r\n`, 1], ...recipients, ['DATA\r\n', 1], [BODY, 1]]
}

function group(from: string, to: string): string {
  return `MAIL FROM:<${from}>\r\nRCPT TO:<${to}>\r\nDATA\r\n`
}

/** A message up to the command at which the fault occurs. */
function untilFault(fault: string, command: 'mail' | 'rcpt' | 'data' | 'end-of-message'): Step[] {
  const steps = mail(`fault+${fault}@example.com`)
  return steps.slice(0, ['mail', 'rcpt', 'data', 'end-of-message'].indexOf(command) + 1)
}

const SCRIPTS: Readonly<Record<string, readonly Step[]>> = {
  'one mail': [LOGIN, ...mail(), QUIT],
  'two mails': [LOGIN, ...mail(), ...mail('b@example.com', 'c@example.net', 'd@example.net'), QUIT],
  'a pipelined mail': [LOGIN, [group('a@example.com', 'b@example.net'), 3], [BODY, 1], QUIT],
  'the dot and QUIT in one segment': [LOGIN, [group('a@example.com', 'b@example.net'), 3], [`${BODY}QUIT\r\n`, 2]],
  'AUTH in two steps': [['AUTH PLAIN\r\n', 1], [`${AUTH_PLAIN.slice(11)}\r\n`, 1], ...mail(), QUIT],
  'AUTH cancelled': [['AUTH PLAIN\r\n', 1], ['*\r\n', 1], ['NOOP\r\n', 1], QUIT],
  'AUTH with a wrong password': [['AUTH PLAIN AGFwcAB3cm9uZw==\r\n', 1], QUIT],
  'AUTH LOGIN, which is not offered': [['AUTH LOGIN\r\n', 1], QUIT],
  'AUTH twice': [LOGIN, LOGIN, QUIT],
  'MAIL without AUTH': [['MAIL FROM:<a@example.com>\r\n', 1], QUIT],
  'blanks in the path, as in the documented example': [
    LOGIN,
    ['MAIL FROM: <a@example.com>\r\n', 1],
    ['RCPT TO: <b@example.net>\r\n', 1],
    QUIT,
  ],
  'commands that are not implemented': [
    ['VRFY a\r\n', 1],
    ['EXPN a\r\n', 1],
    ['HELP\r\n', 1],
    ['FOO bar\r\n', 1],
    QUIT,
  ],
  'NOOP and RSET': [['NOOP hello\r\n', 1], ['RSET\r\n', 1], QUIT],
  'lower case and LF alone': [
    ['noop\n', 1],
    ['rset\n', 1],
    ['quit\n', 1],
  ],
  'a second EHLO resets': [LOGIN, ['MAIL FROM:<a@example.com>\r\n', 1], ['EHLO again\r\n', 1], QUIT],
  'DATA without recipients': [LOGIN, ['MAIL FROM:<a@example.com>\r\n', 1], ['DATA\r\n', 1], QUIT],
  'an empty message': [LOGIN, [group('a@example.com', 'b@example.net'), 3], ['.\r\n', 1], QUIT],
  'a bare LF in the body is refused': [LOGIN, [group('a@example.com', 'b@example.net'), 3], ['a\nb\r\n.\r\n', 1], QUIT],
  'RSET between recipients and DATA': [LOGIN, ...mail().slice(0, 2), ['RSET\r\n', 1], QUIT],
  'more than 50 recipients': [
    LOGIN,
    ...mail('a@example.com', ...Array.from({ length: 51 }, (_, i) => `r${i}@example.net`)),
    QUIT,
  ],
  '553 for one of two recipients': [
    LOGIN,
    ...mail('a@example.com', 'fault+553-at-rcpt@example.net', 'b@example.net'),
    QUIT,
  ],
  '521 at MAIL': [LOGIN, ...untilFault('521-at-mail', 'mail'), QUIT],
  '451 at RCPT': [LOGIN, ...untilFault('451-at-rcpt', 'rcpt'), QUIT],
  '554 at DATA': [LOGIN, ...untilFault('554-at-data', 'data'), QUIT],
  '556 at the end': [LOGIN, ...untilFault('556-at-end-of-message', 'end-of-message'), QUIT],
  '552 at the end, then another message': [
    LOGIN,
    ...untilFault('552-at-end-of-message', 'end-of-message'),
    ...mail(),
    QUIT,
  ],
  '421 at MAIL': [LOGIN, ...untilFault('421-at-mail', 'mail')],
  '421 at DATA': [LOGIN, ...untilFault('421-at-data', 'data')],
  '421 at the end': [LOGIN, ...untilFault('421-at-end-of-message', 'end-of-message')],
  'a close in place of the reply to MAIL': [LOGIN, ['MAIL FROM:<fault+close-at-mail@example.com>\r\n', 0]],
  'a close in place of the final reply': [LOGIN, ...untilFault('close-at-end-of-message', 'data'), [BODY, 0]],
  'a reset in place of the final reply': [LOGIN, ...untilFault('reset-at-end-of-message', 'data'), [BODY, 0]],
  'a reply cut in the middle': [LOGIN, ['MAIL FROM:<fault+cut-at-mail@example.com>\r\n', 0]],
  'a final reply cut in the middle': [LOGIN, ...untilFault('cut-at-end-of-message', 'data'), [BODY, 0]],
  'the client ends its direction after the dot': [LOGIN, ...mail().slice(0, 3), [BODY, 0], 'FIN'],
  'the client ends its direction after QUIT': [LOGIN, ['QUIT\r\n', 0], 'FIN'],
  'the client ends its direction in the body': [LOGIN, ...mail().slice(0, 3), ['half a li', 0], 'FIN'],
}

const SILENCE: Readonly<Record<string, readonly Step[]>> = {
  'silence until the idle disconnect': [LOGIN, ['', 0]],
}

/**
 * AhaSend's idle limit, and the scripts that are played with it: a long limit for all scripts that send, a short one
 * for silence.
 */
const RUNS = [
  [60_000, SCRIPTS],
  [2500, SILENCE],
] as const

const PATHS = ['direct', 'starttls', 'smtps', 'plain'] as const
type Path = (typeof PATHS)[number]

/** What the client and AhaSend received in one run. */
interface Run {
  readonly read: string
  readonly ending: Ending
  readonly commands: readonly string[]
  readonly bodies: readonly string[]
}

for (const [idleMs, scripts] of RUNS)
  describe(`A script gives the same result directly and through the proxy (idle limit ${idleMs} ms):`, () => {
    let simulator: Simulator
    let proxy: ProxyServer
    let authority: { readonly certPem: string }

    before(async () => {
      const made = await makeAuthority()
      authority = made
      const certificate = await made.issue({ dnsNames: ['localhost'] })
      simulator = await startSimulator({ authority: made, certificate, idleMs })
      proxy = await startProxy(simulator, certificate)
    })
    after(async () => {
      await proxy?.close()
      await simulator?.close()
    })

    for (const [name, script] of Object.entries(scripts)) {
      test(name, async () => {
        const [direct, ...proxied] = await Promise.all(PATHS.map((path) => play(script, path)))
        for (const [index, run] of proxied.entries()) assert.deepEqual(run, direct, `by ${PATHS[index + 1]}`)
      })
    }

    async function play(script: readonly Step[], path: Path): Promise<Run> {
      const marker = `script-${Math.random().toString(36).slice(2)}`
      const client = await connect(path, marker)
      const before = client.log.length
      for (const step of script) await perform(client, step)
      const ending = await client.closed()
      client.destroy()
      const session = await simulatorSession(marker)
      return {
        read: normalised(client.log.all.subarray(before).toString('latin1')),
        ending,
        commands: commandsOf(session),
        bodies: simulator.ledger.messages.filter((message) => message.session === session).map(({ sha256 }) => sha256),
      }
    }

    /**
     * Connects a client and sends EHLO, inside TLS except on a plain listener. The name in it identifies the session.
     */
    async function connect(path: Path, marker: string): Promise<Peer> {
      const tls = { ca: authority.certPem, servername: 'localhost' }
      const port = path === 'direct' ? simulator.port : proxy.bound[['starttls', 'smtps', 'plain'].indexOf(path)]!.port
      const client = await connectClient({ port, ...(path === 'smtps' && { tls }) })
      await client.readReply()
      if (path === 'direct' || path === 'starttls') {
        await client.send('EHLO clear.example\r\n')
        await client.readReply()
        await startTls(client, tls)
      }
      await client.send(`EHLO ${marker}.example\r\n`)
      await client.readReply()
      return client
    }

    /** The simulator's number of the session with this marker, once the session is closed. */
    async function simulatorSession(marker: string): Promise<number> {
      return await until(`the simulator has closed the session of ${marker}`, () => {
        const command = simulator.ledger.commands.find(({ line }) => line.includes(marker))
        const session = simulator.ledger.sessions.find((one) => one.session === command?.session)
        return session?.closedAt !== undefined && session.session
      })
    }

    function commandsOf(session: number): string[] {
      const inTls = simulator.ledger.commands.filter((command) => command.session === session && command.tls)
      return inTls.map(({ line }) => line).filter((line) => !/^EHLO (script-|clear)/.test(line))
    }
  })

async function perform(client: Peer, step: Step): Promise<void> {
  if (step === 'FIN') return client.end()
  const [send, replies] = step
  if (send !== '') await client.send(send)
  for (let left = replies; left > 0; left -= 1) await client.readReply()
}

function normalised(text: string): string {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  return whole.replace(/[0-9a-f]{32}/g, '<id>')
}

async function startProxy(simulator: Simulator, { certPem, keyPem }: Certificate): Promise<ProxyServer> {
  const files = writeTemporaryFiles({ 'cert.pem': certPem, 'key.pem': keyPem })
  const config = configOf({
    PROXY_LISTEN: 'smtp://127.0.0.1:0,smtps://127.0.0.1:0',
    PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
    PROXY_UPSTREAM_CA_FILE: simulator.caFile,
    PROXY_TLS_CERT_FILE: files.paths['cert.pem'],
    PROXY_TLS_KEY_FILE: files.paths['key.pem'],
    PROXY_WARM_CONNECTIONS: '0',
  })
  files.remove()
  const telemetry = { open: () => () => {}, dial() {}, observerFailed: (error: unknown) => assert.fail(String(error)) }
  const certificate = { context: createSecureContext({ cert: certPem, key: keyPem }) }
  const proxy = await startServer({ config, telemetry, certificate })
  const plain = await startServer({ config: { ...config, listeners: [config.listeners[0]!] }, telemetry })
  const close = proxy.close.bind(proxy)
  proxy.bound.push(...plain.bound)
  proxy.close = async () => {
    await close()
    await plain.close()
  }
  return proxy
}
