/** TLS of the probe. */
import { isIP, type Socket } from 'node:net'
import tls from 'node:tls'
import type { ProbeSettings } from './settings.ts'
import { StepFailed } from './step-failed.ts'

/** Begins TLS on a connection. */
export function beginTls(
  tcp: Socket,
  { serverName, authorities, tls: policy }: Pick<ProbeSettings, 'serverName' | 'authorities' | 'tls'>,
): tls.TLSSocket {
  return tls.connect({
    socket: tcp,
    host: serverName,
    ...(isIP(serverName) ? {} : { servername: serverName }),
    ca: [...tls.getCACertificates('default'), ...(authorities === undefined ? [] : [authorities])],
    minVersion: 'TLSv1.2',
    // by default, Node lets NODE_TLS_REJECT_UNAUTHORIZED=0 turn verification off
    rejectUnauthorized: policy !== 'unverified',
  })
}

/** Resolves when the handshake has succeeded, otherwise rejects with StepFailed. */
export function handshake(socket: tls.TLSSocket): Promise<void> {
  return new Promise((settle, fail) => {
    const failed = (cause?: Error) =>
      fail(new StepFailed(socket.authorizationError ? 'tls_untrusted' : 'tls_failed', { cause }))
    // the error listener stays: a later error must not end the process
    socket
      .on('error', failed)
      .once('end', () => failed())
      .once('close', () => failed())
    socket.once('secureConnect', settle)
  })
}
