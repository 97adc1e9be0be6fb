/**
 * Asks the proxy that runs beside it, in the same environment, whether it is ready: the image's HEALTHCHECK. It starts
 * every few seconds, so it loads neither the proxy nor Node's HTTP. Exit code 0 when `/readyz` answers 200, or when
 * PROXY_ADMIN is `off` and there is nobody to ask; else 1. One line says why.
 */
import { connect } from 'node:net'

/** As in the table of settings. */
const DEFAULT_ADMIN = 'http://127.0.0.1:9464'
/** Shorter than the timeout of the image's HEALTHCHECK, so that the reason is told. */
const LIMIT_MS = 2500

function end(healthy: boolean, why: string): void {
  console.log(why)
  process.exit(healthy ? 0 : 1)
}

function ask({ hostname, port }: URL): void {
  // an address to listen on is also one to connect to: 0.0.0.0 and [::] mean this machine
  connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) })
    .setTimeout(LIMIT_MS, () => end(false, `no answer within ${LIMIT_MS} ms`))
    .on('error', ({ message }) => end(false, message))
    .once('data', (answer) => {
      const [status = ''] = String(answer).split('\r\n', 1)
      end(/^HTTP\/1\.[01] 200 /.test(status), status)
    })
    .once('end', () => end(false, 'closed without an answer'))
    .write('GET /readyz HTTP/1.0\r\n\r\n')
}

const admin = process.env.PROXY_ADMIN?.trim() || DEFAULT_ADMIN
if (admin === 'off') end(true, 'PROXY_ADMIN is off: nobody to ask')
else ask(new URL(admin))
