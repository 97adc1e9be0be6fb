/** The paths of MAIL and RCPT (RFC 5321 4.1.2), read only where an operator asked for addresses. */

/** How much of an address may be recorded. */
export type AddressScope = 'none' | 'domain' | 'full'

/** RFC 5321 4.5.3.1.3: the longest path, its brackets included. */
const MAX_PATH_BYTES = 256

const MAIL = /^MAIL[ \t]+FROM[ \t]*:[ \t]*(.*)$/is
const RCPT = /^RCPT[ \t]+TO[ \t]*:[ \t]*(.*)$/is
/** To the first bracket that is not quoted; then parameters, or nothing. */
const BRACKETED = /^<((?:[^<>"]|"(?:[^"\\]|\\.)*")*)>(?=[ \t\r\n]|$)/s
/** Clients that forget the brackets are served by some servers. */
const BARE = /^[^<>\s]+/
/** A source route is to be ignored (RFC 5321 appendix C); then a dot-string or a quoted string, and a domain. */
const MAILBOX = /^(?:@[^@,:\s]+(?:,@[^@,:\s]+)*:)?((?:[^\s"@,:;()[\]\\<>]+|"(?:[^"\\]|\\.)*")(?:@([^@]+))?)$/
/** A name, internationalized or not, or an address literal (RFC 5321 4.1.3). */
const DOMAIN = /^(?:[\p{L}\p{M}\p{N}._-]+|\[[\x21-\x5a\x5e-\x7e]+\])$/u
/** What no mailbox holds: controls, and octets that were not UTF-8 (RFC 6531 3.3). */
const UNPRINTABLE = /[\p{Cc}\ufffd]/u

/**
 * What `scope` allows of the reverse-path in a MAIL line, or of its head: the mailbox as it was written, or the domain in
 * lower case. Empty for the null path `<>`; undefined for what is no path, or for a domain that is not there.
 */
export function senderOf(line: Buffer, scope: AddressScope): string | undefined {
  return scope === 'none' ? undefined : allowed(pathIn(MAIL, line), scope)
}

/** The same of the forward-path in a RCPT line, which cannot be null. */
export function recipientOf(line: Buffer, scope: AddressScope): string | undefined {
  return scope === 'none' ? undefined : allowed(pathIn(RCPT, line) || undefined, scope)
}

/** What stands between the brackets, or in place of them. */
function pathIn(command: RegExp, line: Buffer): string | undefined {
  const argument = command.exec(line.toString())?.[1] ?? ''
  return BRACKETED.exec(argument)?.[1] ?? BARE.exec(argument)?.[0]
}

function allowed(path: string | undefined, scope: 'domain' | 'full'): string | undefined {
  if (path === undefined || path === '') return path
  if (UNPRINTABLE.test(path) || Buffer.byteLength(path) > MAX_PATH_BYTES - '<>'.length) return undefined
  const [, mailbox, domain] = MAILBOX.exec(path) ?? []
  if (domain !== undefined && !DOMAIN.test(domain)) return undefined
  return scope === 'full' ? mailbox : domain?.toLowerCase()
}
