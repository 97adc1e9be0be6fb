import type { DialError, LookupError } from './closed-sets.ts'

/** Why a dial failed, and what to check. */
export const dialExplanations: Readonly<Record<DialError, string>> = {
  resolve_failed: 'the name does not resolve: check PROXY_UPSTREAM and the DNS resolver',
  connect_refused: 'the connection was refused: check host, port and the firewall',
  connect_timeout: 'the connection attempt timed out: a firewall may block it (cloud providers often block port 25)',
  connect_reset: 'the connection was closed before the greeting',
  greeting_timeout: 'connected, but received no greeting: is this an SMTP port without implicit TLS?',
  greeting_refused: 'the upstream refused this connection',
  starttls_not_offered: 'the upstream does not offer STARTTLS, and the proxy never sends mail unencrypted',
  starttls_refused: 'the upstream refused STARTTLS',
  starttls_injection:
    'the upstream sent unencrypted bytes after its reply to STARTTLS: someone may be tampering with the ' +
    'connection',
  tls_untrusted: 'the certificate is not trusted for this name: for a private authority, set PROXY_UPSTREAM_CA_FILE',
  tls_failed: 'the TLS handshake failed',
  local_resources_exhausted: 'this machine has no file descriptor, local port or memory left for a connection',
}

/** Why a lookup failed, and what to check. */
export const lookupExplanations: Readonly<Record<LookupError, string>> = {
  name_not_found: 'the resolver says that there is no such name: check PROXY_UPSTREAM and the DNS resolver',
  resolver_failed: 'the DNS resolver of this machine or container reports an error: check it',
  resolver_timeout: 'the DNS resolver of this machine or container did not answer within 2s: check it',
}
