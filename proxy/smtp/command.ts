/** The grammar of command lines (RFC 5321 4.1). It creates strings only from known words. */

/** The verbs with known framing: each is one line, and the verb and its reply determine what follows. */
const VERBS = [
  'EHLO',
  'HELO',
  'LHLO',
  'STARTTLS',
  'AUTH',
  'MAIL',
  'RCPT',
  'DATA',
  'BDAT',
  'RSET',
  'NOOP',
  'VRFY',
  'EXPN',
  'HELP',
  'QUIT',
  'ETRN',
  'ATRN',
  'TURN',
  'SEND',
  'SOML',
  'SAML',
  'VERB',
  'ONEX',
  'BURL',
  'XCLIENT',
  'XFORWARD',
] as const

/** A known verb, `''` for an empty line, `UNKNOWN` for everything else. */
export type Verb = (typeof VERBS)[number] | '' | 'UNKNOWN'

const KNOWN: ReadonlyMap<string, Verb> = new Map(VERBS.map((verb) => [verb, verb]))
const LONGEST = 8

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09

/**
 * The verb of a command line, in any case. The line may end in CRLF or LF, or be cut after its head. A CR inside the line
 * is data, as it is for servers. A leading space makes the verb unknown.
 */
export function verbOf(line: Buffer): Verb {
  let end = 0
  while (end < line.length && end <= LONGEST && isLetter(line[end]!)) end += 1
  if (end === line.length || isWordEnd(line, end)) {
    if (end === 0) return ''
    return KNOWN.get(line.toString('latin1', 0, end).toUpperCase()) ?? 'UNKNOWN'
  }
  return 'UNKNOWN'
}

/** ASCII only: `toUpperCase` can turn other letters into ASCII letters. */
function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
}

function isWordEnd(line: Buffer, at: number): boolean {
  const byte = line[at]
  if (byte === LF) return true
  if (byte === CR) return at + 1 === line.length || line[at + 1] === LF
  return at > 0 && (byte === SPACE || byte === TAB)
}

/** True if the line has anything after its verb other than blanks. */
export function hasArgument(line: Buffer): boolean {
  const text = withoutEnding(line)
  let at = 0
  while (at < text.length && isLetter(text[at]!)) at += 1
  while (at < text.length && (text[at] === SPACE || text[at] === TAB)) at += 1
  return at < text.length
}

/**
 * True if the line has a control character other than tabs and its ending. Some servers end a line at a bare CR or a NUL,
 * and may therefore see a second command in it.
 */
export function hasControls(line: Buffer): boolean {
  return withoutEnding(line).some((byte) => byte < SPACE && byte !== TAB)
}

function withoutEnding(line: Buffer): Buffer {
  let end = line.length
  if (end > 0 && line[end - 1] === LF) end -= 1
  if (end > 0 && line[end - 1] === CR) end -= 1
  return line.subarray(0, end)
}

const MECHANISMS: ReadonlySet<string> = new Set([
  'PLAIN',
  'LOGIN',
  'CRAM-MD5',
  'DIGEST-MD5',
  'XOAUTH2',
  'OAUTHBEARER',
  'SCRAM-SHA-1',
  'SCRAM-SHA-256',
  'NTLM',
  'GSSAPI',
  'EXTERNAL',
])

/** The SASL mechanism that an AUTH line (RFC 4954 4) names, or `OTHER`. Ignores everything after the name. */
export function mechanismOf(line: Buffer): string {
  const word =
    withoutEnding(line.subarray(0, 64))
      .toString('latin1')
      .split(/[ \t]+/, 2)[1] ?? ''
  const name = /^[A-Za-z0-9_-]{1,20}$/.test(word) ? word.toUpperCase() : ''
  return MECHANISMS.has(name) ? name : 'OTHER'
}

/** One BDAT chunk (RFC 3030): `size` bytes follow the line. */
export interface Chunk {
  readonly size: number
  readonly last: boolean
}

/** Far above any message. A larger number is an attack on number parsing. */
const MAX_CHUNK = 2 ** 40

/** The chunk that a BDAT line announces, or undefined if the line is malformed and the size of the chunk is unknown. */
export function chunkOf(line: Buffer): Chunk | undefined {
  const match = /^BDAT[ \t]+([0-9]{1,13})(?:[ \t]+(LAST))?[ \t]*$/i.exec(withoutEnding(line).toString('latin1'))
  if (!match) return undefined
  const size = Number.parseInt(match[1]!, 10)
  return size <= MAX_CHUNK ? { size, last: match[2] !== undefined } : undefined
}

const HTTP_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'CONNECT',
  'PATCH',
])

/**
 * True for the first line of an HTTP request (RFC 9112 3), or the head of a long one. A web page can make a browser
 * connect to this port, and the lines of the request body must not run as commands (cross-protocol request forgery). The
 * page chooses the path, so a method and a slash are enough: a long path must not hide the version after it.
 */
export function isHttp(line: Buffer): boolean {
  const text = withoutEnding(line.subarray(0, 2048)).toString('latin1')
  const match = /^([A-Z]{3,7}) (?:\/|\S{1,2000} HTTP\/[0-9.]{1,3}$)/.exec(text)
  return match !== null && HTTP_METHODS.has(match[1]!)
}
