/**
 * The image's HEALTHCHECK: requests `/readyz` from the proxy in the same container, or from the probe if the argument is its
 * variable PROBE_METRICS. Docker starts it every few seconds, so it loads hardly any code of the proxy, and not Node's HTTP
 * module. The exit code is 0 if the response is 200, or if the variable is `off` and there is no server; otherwise 1. It
 * prints one line with the reason.
 */
import { connect } from 'node:net'
import { lookupOwnFirst } from '../proxy/net/own-addresses.ts'

/** The same as in proxy/settings/table.ts and app/probe/settings.ts. */
const DEFAULTS = { PROXY_ADMIN: 'http://127.0.0.1:9464', PROBE_METRICS: 'http://127.0.0.1:9465' } as const
/** Shorter than the timeout of the image's HEALTHCHECK, so that the reason is printed. */
const LIMIT_MS = 2500

function exit(healthy: boolean, reason: string): void {
  console.log(reason)
  process.exit(healthy ? 0 : 1)
}

function request({ hostname, port }: URL): void {
  // a connection to 0.0.0.0 or [::] reaches this machine, so every listening address works here; other proxies may share a name
  connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80), lookup: lookupOwnFirst })
    .setTimeout(LIMIT_MS, () => exit(false, `no response within ${LIMIT_MS} ms`))
    .on('error', ({ message }) => exit(false, message))
    .once('data', (response) => {
      const [status = ''] = String(response).split('\r\n', 1)
      exit(/^HTTP\/1\.[01] 200 /.test(status), status)
    })
    .once('end', () => exit(false, 'closed without a response'))
    .write('GET /readyz HTTP/1.0\r\n\r\n')
}

const variable = process.argv[2] === 'PROBE_METRICS' ? 'PROBE_METRICS' : 'PROXY_ADMIN'
const admin = process.env[variable]?.trim() || DEFAULTS[variable]
if (admin === 'off') exit(true, `${variable} is off: there is no admin server`)
else request(new URL(admin))
