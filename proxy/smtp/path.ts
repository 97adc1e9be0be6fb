/** The paths of MAIL and RCPT (RFC 5321 4.1.2). They are read only if PROXY_RECORD_ADDRESSES enables it. */

/** The part of an address that may be recorded. */
export type AddressScope = 'none' | 'domain' | 'full'

/** RFC 5321 4.5.3.1.3: the longest path, including its brackets. */
const MAX_PATH_BYTES = 256

const MAIL = /^MAIL[ \t]+FROM[ \t]*:[ \t]*(.*)$/is
const RCPT = /^RCPT[ \t]+TO[ \t]*:[ \t]*(.*)$/is
/** Up to the first bracket that is not quoted; then parameters, or nothing. */
const BRACKETED = /^<((?:[^<>"]|"(?:[^"\\]|\\.)*")*)>(?=[ \t\r\n]|$)/s
/** Some servers accept paths without brackets. */
const BARE = /^[^<>\s]+/
/** A source route, which is ignored (RFC 5321 appendix C); then a dot-string or a quoted string, and a domain. */
const MAILBOX = /^(?:@[^@,:\s]+(?:,@[^@,:\s]+)*:)?((?:[^\s"@,:;()[\]\\<>]+|"(?:[^"\\]|\\.)*")(?:@([^@]+))?)$/
/** A name, internationalized or not, or an address literal (RFC 5321 4.1.3). */
const DOMAIN = /^(?:[\p{L}\p{M}\p{N}._-]+|\[[\x21-\x5a\x5e-\x7e]+\])$/u
/** Characters that no mailbox contains: controls, and bytes that are not UTF-8 (RFC 6531 3.3). */
const UNPRINTABLE = /[\p{Cc}\ufffd]/u

/**
 * The part of the reverse-path in a MAIL line, or in the head of one, that `scope` allows: the mailbox as written, or the
 * domain in lower case. Empty for the null path `<>`; undefined if there is no valid path, or no domain.
 */
export function senderOf(line: Buffer, scope: AddressScope): string | undefined {
  return scope === 'none' ? undefined : allowed(pathIn(MAIL, line), scope)
}

/** The same for the forward-path in a RCPT line, which cannot be null. */
export function recipientOf(line: Buffer, scope: AddressScope): string | undefined {
  return scope === 'none' ? undefined : allowed(pathIn(RCPT, line) || undefined, scope)
}

/** The text between the brackets, or the path without brackets. */
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
