/** Advice in the log about sessions that end for a reason that only an operator can fix. */
import type { CloseReason, ProxyHeaderFault } from '../../proxy/events/closed-sets.ts'
import type { SessionEvent } from '../../proxy/events/session-event.ts'

const FAULTS: Readonly<Record<ProxyHeaderFault, string>> = {
  timeout: 'No PROXY header arrived in time.',
  incomplete: 'The connection ended in the middle of the PROXY header.',
  no_header: 'The connection does not begin with a PROXY header.',
  header_too_long: 'The PROXY header is too long.',
  malformed: 'The PROXY header is malformed.',
  unsupported: 'The PROXY header has a version, a command or an address family that the proxy does not support.',
  bad_checksum: 'The checksum of the PROXY header is wrong.',
}

const EXPECTED =
  'The address is in PROXY_TRUST_PROXY_PROTOCOL, so its connections must begin with a PROXY header, version 1 or 2. ' +
  'Check that the load balancer sends one, also in its health checks, or remove its network from the setting.'

const REFUSED: ReadonlyMap<CloseReason, string> = new Map([
  ['not_allowed', "The client's address is not in PROXY_ALLOW."],
  ['session_limit', 'PROXY_MAX_SESSIONS or PROXY_MAX_SESSIONS_PER_CLIENT is reached.'],
])

const HIDDEN = "To see the client's address in this line, set PROXY_RECORD_ADDRESSES=domain."

/**
 * What happened and what to check. Undefined if the other attributes of the line are enough. `addressLogged`: the line has
 * the address of the client.
 */
export function adviceOn(
  close: Extract<SessionEvent, { type: 'session-close' }>,
  addressLogged = false,
): string | undefined {
  const refused = REFUSED.get(close.reason)
  if (refused !== undefined) return addressLogged ? refused : `${refused} ${HIDDEN}`
  if (close.reason !== 'proxy_header') return undefined
  const fault = Object.hasOwn(FAULTS, close.detail ?? '') ? `${FAULTS[close.detail as ProxyHeaderFault]} ` : ''
  return `${fault}${EXPECTED}`
}
