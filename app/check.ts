import type { Dial } from '../proxy/events/dial.ts'
import { dialExplanations } from '../proxy/events/dial-explanations.ts'
import { loadCertificate } from '../proxy/net/listener-certificate.ts'
import type { Config, UpstreamAddress } from '../proxy/settings/config.ts'
import { type Reply, ReplyReader } from '../proxy/smtp/reply.ts'
import { Dialer, type DialledUpstream } from '../proxy/upstream/dialer.ts'

/** The `check` command: checks that the configuration is valid and that the upstreams answer correctly. */

const DAY_MS = 86_400_000
const NEVER = new AbortController().signal

/** Connects to each upstream, verifies its certificate and prints its capabilities. Returns the exit code, 0 or 1. */
export async function check(config: Config, print: (line: string) => void): Promise<0 | 1> {
  print('configuration: ok')
  const certificate = checkCertificate(config, print)
  const dialer = new Dialer(config.upstreamCaFile)
  let failures = certificate ? 0 : 1
  for (const server of config.upstreams) {
    if (!(await checkUpstream(dialer, server, config.dialTimeoutMs, print))) failures += 1
  }
  return failures === 0 ? 0 : 1
}

function checkCertificate(config: Config, print: (line: string) => void): boolean {
  if (!config.tls) return true
  const certificate = loadCertificate(config.tls)
  if ('error' in certificate) {
    print(`listener certificate: FAILED: ${certificate.error}`)
    return false
  }
  const days = daysLeft(certificate.notAfter)
  print(`listener certificate: ${validity(days)}`)
  certificate.close()
  return days > 0
}

async function checkUpstream(
  dialer: Dialer,
  server: UpstreamAddress,
  timeoutMs: number,
  print: (line: string) => void,
): Promise<boolean> {
  const { dial, connection } = await dialer.dial(server, timeoutMs, NEVER)
  const name = `upstream ${server.host}:${server.port}`
  if (!connection || connection.refused) {
    print(`${name}: FAILED: ${explain(dial)}`)
    connection?.socket.destroy()
    return false
  }
  print(`${name}: ok in ${Math.round(dial.end - dial.at)} ms at ${dial.peerAddress}, ${security(dial)}`)
  for (const line of await readCapabilities(connection, timeoutMs)) print(`  ${line}`)
  return true
}

function security(dial: Dial): string {
  if (dial.tlsProtocol === undefined) return 'unencrypted (?tls=off)'
  return `${dial.tlsProtocol} ${dial.tlsCipher}, certificate ${daysLeft(dial.certificateNotAfter ?? 0)} days left`
}

function explain(dial: Dial): string {
  const details = [dial.error, dial.replyCode, dial.detail].filter((detail) => detail !== undefined).join(', ')
  const advice = dial.advice === undefined ? '' : `: ${dial.advice}`
  return `${dial.error ? dialExplanations[dial.error] : 'unknown'}${advice} (${details})`
}

/** Requests the EHLO reply inside TLS, then sends QUIT. Returns the lines; none if no reply came in time. */
function readCapabilities(connection: DialledUpstream, timeoutMs: number): Promise<string[]> {
  const reader = new ReplyReader()
  return new Promise((settle) => {
    const done = (reply?: Reply) => {
      clearTimeout(timer)
      connection.socket.end('QUIT\r\n')
      connection.socket.destroySoon()
      settle(reply ? printable(reply.bytes) : [])
    }
    const timer = setTimeout(done, timeoutMs)
    connection.socket.on('data', (chunk) => reader.push(chunk, done)).once('close', () => done())
    connection.socket.resume()
    connection.socket.write('EHLO [127.0.0.1]\r\n')
  })
}

/** Replaces control characters, because the server's text may contain escape sequences for the terminal. */
function printable(reply: Buffer): string[] {
  return reply
    .toString('latin1')
    .trimEnd()
    .split('\r\n')
    .map((line) => line.replace(/[^\x20-\x7e]/g, '?'))
}

function validity(days: number): string {
  if (days > 0) return `ok, ${days} days left`
  return days < 0 ? 'FAILED: it has expired' : 'FAILED: it expires within a day'
}

function daysLeft(notAfter: number): number {
  return Math.floor((notAfter * 1000 - Date.now()) / DAY_MS)
}
