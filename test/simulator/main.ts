/** The simulator as a program. It prints one line of JSON when it is ready, and runs until SIGINT or SIGTERM. */
import { parseArgs } from 'node:util'
import { type Authority, type Certificate, makeAuthority } from '../support/tls/certificates.ts'
import type { FaultOptions } from './active-faults.ts'
import { AUTHORITY_NAME, loadOrMakeAuthority } from './certificate-authority.ts'
import type { ControlLinks } from './control/state.ts'
import { faultHelp } from './control/text.ts'
import { DEFAULT_ACCOUNT, startSimulator } from './simulator.ts'

const HELP = `node test/simulator/main.ts: a simulated AhaSend. It delivers nothing.

  --port N             SMTP port, default any free port; user name ${DEFAULT_ACCOUNT.user}, password ${DEFAULT_ACCOUNT.pass}
  --http-port N        control page, default any free port
  --host ADDRESS       address to listen on, default 127.0.0.1
  --dns-name NAME      the name in its certificate, default localhost
  --ca-file PATH       file for the CA certificate that clients must trust; its key is in PATH.key. The next start uses
                       both again. Default: a new certificate authority at each start
  --seed N             makes faults with a probability repeatable
  --idle-timeout TIME  time without data until the unsolicited 421, such as 500ms, 60s or 1m; default 60s
  --no-tls             offers STARTTLS but does not require it
  --no-auth            neither offers nor requires AUTH
  --summary            keeps only counts, for long runs
  --alertmanager URL   Alertmanager, from which the control page learns which alerts fire
  --grafana URL        link on the control page; default $GRAFANA_URL
  --status URL         link on the control page: the status page of the proxy
  --bodies             with --summary: also counts how often each body was received
  --fault NAME[=...]   sets a fault; repeat the flag for several faults

${faultHelp()}`

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

/** Parses `500ms`, `60s` or `1m` as milliseconds. Throws a RangeError on anything else. */
function parseDuration(text: string): number {
  const [, amount, unit = ''] = /^([0-9]+)(ms|s|m)$/.exec(text) ?? []
  if (!amount) throw new RangeError(`not a duration like 500ms, 60s or 1m: ${text}`)
  return Number(amount) * (UNITS[unit] ?? 1)
}

/** Parses `name=probability:0.1,times:3,text:words`. */
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
    alertmanager: { type: 'string' },
    grafana: { type: 'string' },
    status: { type: 'string' },
    fault: { type: 'string', multiple: true, default: [] },
  },
})

/**
 * The authority in `--ca-file` with a certificate of the same lifetime; without that flag, both new and valid for 30
 * days.
 */
async function certificates(): Promise<{ readonly authority: Authority; readonly certificate: Certificate }> {
  const { 'ca-file': caFile, 'dns-name': name } = values
  const names = name === undefined ? {} : { dnsNames: [name] }
  if (caFile === undefined) {
    const authority = await makeAuthority(AUTHORITY_NAME)
    return { authority, certificate: await authority.issue(names) }
  }
  const { authority, notAfter, renewed } = await loadOrMakeAuthority(caFile)
  if (renewed !== undefined)
    console.error(
      `${caFile}: made a new certificate authority, because the old one cannot be used (${renewed}). Restart the proxy, ` +
        'so that it reads the file again.',
    )
  return { authority, certificate: await authority.issue({ ...names, notAfter }) }
}

/** What the control page links to. An empty GRAFANA_URL or STATUS_URL means none. */
function links(): ControlLinks {
  const { alertmanager: alertmanagerUrl } = values
  const grafanaUrl = values.grafana ?? process.env.GRAFANA_URL
  const statusUrl = values.status ?? process.env.STATUS_URL
  return {
    ...(alertmanagerUrl && { alertmanagerUrl }),
    ...(grafanaUrl && { grafanaUrl }),
    ...(statusUrl && { statusUrl }),
  }
}

async function main(): Promise<void> {
  const simulator = await startSimulator({
    ...(await certificates()),
    host: values.host,
    port: Number(values.port),
    httpPort: Number(values['http-port']),
    ...(values.seed !== undefined && { seed: Number(values.seed) }),
    idleMs: parseDuration(values['idle-timeout']),
    requireTls: !values['no-tls'],
    requireAuth: !values['no-auth'],
    ledger: !values.summary ? 'records' : values.bodies ? 'bodies' : 'summary',
    faults: Object.fromEntries(values.fault.map(parseFaultFlag)),
    links: links(),
  })
  const { host, port, httpPort, caFile, seed } = simulator
  process.stdout.write(`${JSON.stringify({ ready: true, host, port, httpPort, caFile, seed, pid: process.pid })}\n`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.close())
}

if (values.help) process.stdout.write(HELP)
else await main()
