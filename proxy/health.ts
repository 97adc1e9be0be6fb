/**
 * Asks the proxy that runs beside it, in the same environment, whether it is ready: the image's HEALTHCHECK. It starts
 * every few seconds, so it loads nothing of the proxy. Exit code 0 when `/readyz` answers 200, or when PROXY_ADMIN is
 * `off` and there is nobody to ask; else 1. One line says why.
 */
import { get } from 'node:http'

/** As in the table of settings. */
const DEFAULT_ADMIN = 'http://127.0.0.1:9464'
/** Shorter than the timeout of the image's HEALTHCHECK, so that the reason is told. */
const LIMIT_MS = 2500

const admin = process.env.PROXY_ADMIN?.trim() || DEFAULT_ADMIN

function end(healthy: boolean, why: string): void {
  console.log(why)
  process.exit(healthy ? 0 : 1)
}

// an address to listen on is also one to connect to: 0.0.0.0 and [::] mean this machine
if (admin === 'off') end(true, 'PROXY_ADMIN is off: nobody to ask')
else
  get(new URL('/readyz', admin), { timeout: LIMIT_MS }, ({ statusCode }) => end(statusCode === 200, `${statusCode}`))
    .on('timeout', () => end(false, `no answer within ${LIMIT_MS} ms`))
    .on('error', ({ message }) => end(false, message))
