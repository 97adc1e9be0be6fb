/**
 * How much CPU does a short session cost the proxy? Sends one message per connection, through the proxy and a TLS upstream
 * that lets every session be resumed. Prints the CPU time of the proxy's process per session, in interleaved rounds.
 *
 *   node bench/sessions.ts [--sessions 2000] [--rounds 7] [--other FOLDER] [--ready 0] [--profile FOLDER]
 *
 * --other: another checkout of the project, to compare with. --ready: PROXY_WARM_CONNECTIONS. --profile: writes a CPU
 * profile of this checkout's proxy there.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import { parseArgs } from 'node:util'
import { makeTrust } from '../test/support/in-process/trust.ts'
import { startProxy } from '../test/support/processes/proxy-process.ts'
import { showProgress } from './progress.ts'

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '7' },
    other: { type: 'string' },
    ready: { type: 'string', default: '0' },
    profile: { type: 'string' },
    /** Only in the child process: the folder of the upstream's certificate. */
    cert: { type: 'string' },
    key: { type: 'string' },
  },
})
const SESSIONS = Number(values.sessions)
/** Sessions that warm up each proxy, and that are open at the same time. */
const WARM_UP = 1000
const CONCURRENT = 4

const BODY = `Subject: bench\r\n\r\n${'A line of this length is usual.\r\n'.repeat(60)}.\r\n`

/** Answers each command line and each end of a message immediately. */
function answer(socket: net.Socket, inside: boolean, starttls: () => void): void {
  let [rest, data] = ['', false]
  socket.on('error', () => socket.destroy()).on('end', () => socket.end())
  socket.on('data', (chunk) => {
    rest += chunk.toString('latin1')
    for (;;) {
      const end = data ? '\r\n.\r\n' : '\r\n'
      const at = rest.indexOf(end)
      if (at < 0) return
      const line = data ? '.' : rest.slice(0, at)
      rest = rest.slice(at + end.length)
      data = line === 'DATA'
      socket.write(replyTo(line, inside))
      if (line === 'STARTTLS') return starttls()
    }
  })
}

function replyTo(line: string, inside: boolean): string {
  if (line === 'DATA') return '354 go\r\n'
  if (line === 'STARTTLS') return '220 go\r\n'
  if (!line.startsWith('EHLO')) return '250 2.0.0 ok\r\n'
  return `250-mail.example\r\n250-PIPELINING\r\n250-SIZE 20971520\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 ${
    inside ? 'AUTH PLAIN LOGIN' : 'STARTTLS'
  }\r\n`
}

/** The upstream, in a child process. */
function playUpstream(): void {
  const secureContext = tls.createSecureContext({ cert: readFileSync(values.cert!), key: readFileSync(values.key!) })
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.write('220 mail.example ESMTP\r\n')
    answer(socket, false, () => {
      socket.removeAllListeners('data').removeAllListeners('end')
      answer(new tls.TLSSocket(socket, { isServer: true, secureContext }), true, () => {})
    })
  })
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as net.AddressInfo).port))
}

/** One message on a new connection. */
function session(port: number): Promise<void> {
  const commands = [
    'EHLO app.example\r\n',
    'MAIL FROM:<a@example.com>\r\n',
    'RCPT TO:<b@example.net>\r\n',
    'DATA\r\n',
    BODY,
    'QUIT\r\n',
  ]
  return new Promise((settle, fail) => {
    const socket = net.connect(port, '127.0.0.1')
    let next = 0
    socket.on('error', fail).on('close', () => (next > commands.length ? settle() : fail(new Error('closed early'))))
    socket.on('data', (chunk) => {
      if (!/^[23]\d\d .*\r\n$/m.test(chunk.toString('latin1'))) return
      if (next < commands.length) socket.write(commands[next]!)
      else socket.end()
      next += 1
    })
  })
}

async function send(port: number, sessions: number): Promise<void> {
  let left = sessions
  const one = async () => {
    while (left-- > 0) await session(port)
  }
  await Promise.all(Array.from({ length: CONCURRENT }, one))
}

/** CPU time of all threads of a process, in microseconds. */
function cpuUs(pid: number): number {
  const tasks = `/proc/${pid}/task`
  const ns = readdirSync(tasks).map((task) => Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]))
  return ns.reduce((sum, one) => sum + one, 0) / 1000
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)]!
}

async function measure(): Promise<void> {
  const trust = await makeTrust()
  const upstream: ChildProcess = fork(import.meta.filename, ['--cert', trust.certFile, '--key', trust.keyFile])
  const [port] = (await once(upstream, 'message')) as [number]
  const env = {
    PROXY_UPSTREAM: `smtp://localhost:${port}`,
    PROXY_UPSTREAM_CA_FILE: trust.caFile,
    PROXY_WARM_CONNECTIONS: values.ready,
    PROXY_LOG_LEVEL: 'silent',
    OTEL_SDK_DISABLED: 'true',
    PROXY_ADMIN: 'off',
  }
  const own = ['--cpu-prof', `--cpu-prof-dir=${values.profile}`]
  const names = ['this checkout', ...(values.other === undefined ? [] : [values.other])]
  const log = { PROXY_LOG_LEVEL: 'info' }
  const proxies = [await startProxy({ ...env, ...log }, values.profile === undefined ? {} : { nodeOptions: own })]
  if (values.other !== undefined)
    proxies.push(await startProxy({ ...env, ...log }, { main: join(values.other, 'app/entry.js') }))
  const rounds = Number(values.rounds)
  const progress = showProgress('rounds', rounds)
  for (const proxy of proxies) await send(proxy.port, WARM_UP)
  const costs: number[][] = proxies.map(() => [])
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, proxy] of proxies.entries()) {
      const before = cpuUs(proxy.pid)
      await send(proxy.port, SESSIONS)
      costs[index]!.push((cpuUs(proxy.pid) - before) / SESSIONS)
    }
    progress(round + 1)
  }
  for (const [index, name] of names.entries()) {
    console.log(
      `${name}: ${median(costs[index]!).toFixed(0)} µs per session (${costs[index]!.map((us) => us.toFixed(0)).join(' ')})`,
    )
  }
  if (proxies.length === 2) {
    const ratios = costs[0]!.map((us, round) => us / costs[1]![round]!)
    console.log(`ratio ${median(ratios).toFixed(3)} (${ratios.map((ratio) => ratio.toFixed(3)).join(' ')})`)
  }
  for (const proxy of proxies) await proxy.stop()
  upstream.kill()
  trust.remove()
}

if (values.cert === undefined) await measure()
else playUpstream()
