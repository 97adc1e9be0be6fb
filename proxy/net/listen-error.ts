import { ForeignHost } from './own-addresses.ts'

/** A listener could not be opened. The message names the setting and the fix. */
export class ListenError extends Error {}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'the port is taken: stop the other program or choose another port'],
  ['EACCES', 'this user may not open it: choose a port above 1023'],
  ['EADDRNOTAVAIL', 'this machine has no such address: use 0.0.0.0, [::] or one of its own'],
  ['EAFNOSUPPORT', 'this machine has no IPv6: use 0.0.0.0 or one of its IPv4 addresses'],
  ['ENOTFOUND', 'the host name does not resolve: correct it, or use 0.0.0.0, [::] or an IP address of this machine'],
  ['EAI_AGAIN', 'the resolver does not answer for the host name: use an IP address of this machine'],
])

/**
 * Describes why the URL of a setting cannot be listened on. `alternative` is appended to the message. An unknown error code
 * is shown unchanged.
 */
export function listenError(
  variable: string,
  url: string,
  error: NodeJS.ErrnoException,
  alternative = '',
): ListenError {
  const reason = reasonOf(error)
  return new ListenError(`${variable}: cannot listen on ${url}: ${reason}${alternative}`, { cause: error })
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error instanceof ForeignHost) return `${error.message}: use a name or an address of this machine`
  return REASONS.get(error.code ?? '') ?? `${error.code ?? error.message}: check host and port`
}
