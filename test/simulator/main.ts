/** The simulator as a program: prints one line of JSON when it is ready, and runs until it is told to stop. */
import { parseArgs } from 'node:util'
import { type Authority, type Certificate, makeAuthority } from '../support/certificates.ts'
import type { FaultOptions } from './active-faults.ts'
import { AUTHORITY_NAME, loadOrMakeAuthority } from './certificate-authority.ts'
import { faultHelp } from './control/text.ts'
import { DEFAULT_ACCOUNT, startSimulator } from './simulator.ts'

const HELP = `node test/simulator/main.ts: an AhaSend to rehearse with. It delivers nothing.

  --port N             SMTP port, default any; user name ${DEFAULT_ACCOUNT.user}, password ${DEFAULT_ACCOUNT.pass}
  --http-port N        control page, default any
  --host ADDRESS       default 127.0.0.1
  --dns-name NAME      the name that its certificate is for, default localhost
  --ca-file PATH       writes there what a client has to trust, and uses it again at the next start; the key is in
                       PATH.key. Default: another authority at each start
  --seed N             repeats the same random strikes
  --idle-timeout TIME  until the unsolicited 421, default 60s (or 500ms, 1m)
  --no-tls             STARTTLS is offered but not required
  --no-auth            AUTH is neither offered nor required
  --summary            keep counts only, for long runs
  --bodies             with --summary: keep how often each body was received, too
  --fault NAME[=...]   may be repeated

${faultHelp()}`

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

/** Reads `500ms`, `60s` or `1m` as milliseconds. Throws a RangeError on anything else. */
function parseDuration(text: string): number {
  const [, amount, unit = ''] = /^([0-9]+)(ms|s|m)$/.exec(text) ?? []
  if (!amount) throw new RangeError(`not a duration like 500ms, 60s or 1m: ${text}`)
  return Number(amount) * (UNITS[unit] ?? 1)
}

/** Reads `name=probability:0.1,times:3,text:words`. */
function parseFaultFlag(flag: string): readonly [name: string, options: FaultOptions] {
  const [name = '', ...rest] = flag.split('=')
  const pairs = rest.length === 0 ? [] : rest.join('=').split(',')
  const options = pairs.map((pair) => {
    const [key = '', ...value] = pair.split(':')
    if (!['probability', 'times', 'text'].includes(key)) throw new RangeError(`no such fault option: ${key}`)
    return [key, key === 'text' ? value.join(':') : Number(value.join(':'))] as const
  })
  return [name, Object.fromEntries(options)]
}

const { values } = parseArgs({
  options: {
    help: { type: 'boolean' },
    port: { type: 'string', default: '0' },
    'http-port': { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    'dns-name': { type: 'string' },
    'ca-file': { type: 'string' },
    seed: { type: 'string' },
    'idle-timeout': { type: 'string', default: '60s' },
    'no-tls': { type: 'boolean', default: false },
    'no-auth': { type: 'boolean', default: false },
    summary: { type: 'boolean', default: false },
    bodies: { type: 'boolean', default: false },
    fault: { type: 'string', multiple: true, default: [] },
  },
})

/** The authority of `--ca-file`, and a new certificate that lasts as long; else both for thirty days. */
async function trusted(): Promise<{ readonly authority: Authority; readonly certificate: Certificate }> {
  const { 'ca-file': caFile, 'dns-name': name } = values
  const names = name === undefined ? {} : { dnsNames: [name] }
  if (caFile === undefined) {
    const authority = await makeAuthority(AUTHORITY_NAME)
    return { authority, certificate: await authority.issue(names) }
  }
  const { authority, notAfter, renewed } = await loadOrMakeAuthority(caFile)
  if (renewed !== undefined)
    console.error(
      `${caFile}: a new authority, because the old one cannot be used (${renewed}). Who trusted that has to read the file ` +
        'again: start the proxy again.',
    )
  return { authority, certificate: await authority.issue({ ...names, notAfter }) }
}

async function main(): Promise<void> {
  const simulator = await startSimulator({
    ...(await trusted()),
    host: values.host,
    port: Number(values.port),
    httpPort: Number(values['http-port']),
    ...(values.seed !== undefined && { seed: Number(values.seed) }),
    idleMs: parseDuration(values['idle-timeout']),
    requireTls: !values['no-tls'],
    requireAuth: !values['no-auth'],
    ledger: !values.summary ? 'records' : values.bodies ? 'bodies' : 'summary',
    faults: Object.fromEntries(values.fault.map(parseFaultFlag)),
  })
  const { host, port, httpPort, caFile, seed } = simulator
  process.stdout.write(`${JSON.stringify({ ready: true, host, port, httpPort, caFile, seed, pid: process.pid })}\n`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.close())
}

if (values.help) process.stdout.write(HELP)
else await main()
