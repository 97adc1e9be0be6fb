import { REMOVED_KEYWORDS, REMOVED_MECHANISMS } from '../smtp/ehlo.ts'
import { MAX_AGE_MS } from '../upstream/preconnect.ts'
import { BLOCKED_COMMANDS, HARMLESS_COMMANDS } from './intercept.ts'
import * as localReplies from './local-replies.ts'
import { MAX_UNFINISHED_LINE } from './to-upstream.ts'

const HARMLESS = [...HARMLESS_COMMANDS].join(', ')

/**
 * Everything that the proxy changes, for the status page and docs/what-it-changes.md. Everything else passes byte for byte in both
 * directions.
 */
export const CHANGES: readonly string[] = [
  'Before the client receives a greeting, the proxy sends EHLO and STARTTLS to the upstream and completes TLS. The client ' +
    "receives the upstream's own greeting, and the extensions that the upstream offers inside TLS.",
  'In the EHLO reply, the proxy adds STARTTLS while the client connection is unencrypted and the listener has a ' +
    'certificate. Otherwise it removes STARTTLS.',
  `From the EHLO reply, the proxy removes ${REMOVED_KEYWORDS.join(', ')}; REQUIRETLS before TLS; BINARYMIME without ` +
    'CHUNKING; AUTH before TLS on a listener with ?starttls=required.',
  `From the AUTH line, the proxy removes ${REMOVED_MECHANISMS.join(', ')}, *-PLUS and GS2-*.`,
  `On a listener with a certificate, the proxy answers STARTTLS itself: ${localReplies.READY_FOR_TLS.code}, or ` +
    `${localReplies.STARTTLS_ARGUMENT.code} if it has an argument. It answers ${localReplies.STARTTLS_REFUSED.code} inside TLS, and after ` +
    `the client sent any unencrypted command other than ${HARMLESS}, for example AUTH or MAIL. Unencrypted bytes ` +
    `after STARTTLS end the session with ${localReplies.STARTTLS_INJECTION.code}.`,
  'In the TLS handshake, the proxy refuses a client that offers ALPN protocols without `smtp`. A client without ALPN is ' +
    'accepted.',
  `After the client's STARTTLS, inside TLS, the proxy answers ${localReplies.EHLO_FIRST.code} to every command other than ` +
    `${HARMLESS}, until the upstream has accepted an EHLO or HELO (RFC 3207 4.2). A server that follows the RFC ` +
    'does the same: only a client that relies on its EHLO from before TLS can notice.',
  `The proxy answers ${[...BLOCKED_COMMANDS].join(', ')} with ${localReplies.BLOCKED.code} and ends HTTP requests with ` +
    `${localReplies.HTTP.code}. On a listener with ?starttls=required, it answers ${localReplies.STARTTLS_FIRST.code} before TLS to every ` +
    `command other than ${HARMLESS} and STARTTLS.`,
  'On an smtp:// listener, the proxy answers a client that starts TLS immediately with ' +
    `${localReplies.TLS_ON_PLAIN_LISTENER.code} and closes the session.`,
  `The proxy relays a command line when it is complete. It relays a line of more than ` +
    `${MAX_UNFINISHED_LINE.toLocaleString('en')} bytes as it arrives, as it does message bodies and AUTH responses.`,
  `The upstream's greeting may be up to ${MAX_AGE_MS / 1000} seconds old when the client receives it, because the proxy connects in ` +
    'advance. AhaSend counts this time as idle time: a client that sends nothing for 20 seconds or more after the greeting ' +
    'may get the 421 of an idle connection (60 seconds) earlier than without the proxy. With PROXY_WARM_CONNECTIONS=0 it ' +
    'does not.',
  'The proxy holds commands that a client sends before the greeting, up to 64 KiB, and relays them after the ' +
    'greeting. The upstream does not notice that the client talked early, but spans and log lines of the session ' +
    'have `smtp.session.early_talker`.',
  'The proxy relays only complete replies. If the upstream closes the connection in the middle of a reply, the ' +
    'proxy drops the reply and passes on the close.',
  `The proxy sends its own ${localReplies.UNREACHABLE.code} if no upstream can be reached over verified TLS, ` +
    "if this machine lacks resources to connect, if the upstream's greeting was a refusal, if a session limit is " +
    "reached, if the client's address is not in PROXY_ALLOW, if the session is idle, if a reply of the upstream " +
    'is too long, or while it stops. It sends this 421 before or between messages, never in reply to the end of ' +
    'a message.',
  'When the proxy stops, a client that sends MAIL together with the end of a message receives the final reply, ' +
    `and then ${localReplies.DRAINING.code} in reply to MAIL.`,
  'On an smtps:// listener, the proxy refuses connections (limits, PROXY_ALLOW, drain) before TLS: it closes them without ' +
    'a reply.',
]
