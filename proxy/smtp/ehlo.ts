/**
 * What the proxy changes in an EHLO reply (RFC 5321 4.1.1.1), and nothing else. The policy is data: the tables below
 * are what the README and the status page show.
 */

/** Whether the client connection is inside TLS; if not, whether the listener offers or requires STARTTLS. */
export type ClientSecurity = 'tls' | 'plain' | 'starttls-offered' | 'starttls-required'

/** Extensions that hand trust, roles or framing to the peer; a client of ours must not reach them at AhaSend. */
export const REMOVED_KEYWORDS = [
  'XCLIENT',
  'XFORWARD',
  'XEXCH50',
  'X-LINK2STATE',
  'BURL',
  'ETRN',
  'ATRN',
  'TURN',
  'CHECKPOINT',
] as const

/**
 * Mechanisms that do not survive a proxy that ends TLS: channel binding (`*-PLUS`), client certificates (EXTERNAL), and
 * those whose security layer would change the framing (RFC 4422 3.7).
 */
export const REMOVED_MECHANISMS = ['GSSAPI', 'GSS-SPNEGO', 'KERBEROS_V4', 'DIGEST-MD5', 'EXTERNAL'] as const

const KEYWORDS: ReadonlySet<string> = new Set(REMOVED_KEYWORDS)
const MECHANISMS: ReadonlySet<string> = new Set(REMOVED_MECHANISMS)

/** An EHLO reply for the client. */
export interface RewrittenEhlo {
  readonly bytes: Buffer
  /** Names from the tables above, `STARTTLS`, `REQUIRETLS`, `BINARYMIME`, `AUTH` or mechanisms; nothing else. */
  readonly removed: readonly string[]
  readonly added: readonly string[]
}

interface Line {
  readonly bytes: Buffer
  readonly keyword: string
}

const LF = 0x0a
const DASH = 0x2d
const SPACE = 0x20
const STARTTLS = 'STARTTLS'

/** True when a 250 reply to EHLO lists `keyword` (upper case). */
export function offers(reply: Buffer, keyword: string): boolean {
  return linesOf(reply)
    .slice(1)
    .some((line) => line.keyword === keyword)
}

/**
 * The EHLO reply for a client whose connection has this security. Each kept line keeps its bytes; when the last line
 * changes, the mark that makes it the last moves. A reply whose lines do not all begin with `250` comes back as it is.
 */
export function rewriteEhlo(reply: Buffer, security: ClientSecurity): RewrittenEhlo {
  const lines = linesOf(reply)
  const untouched = { bytes: reply, removed: [], added: [] }
  if (lines.some((line) => line.bytes.toString('latin1', 0, 3) !== '250')) return untouched
  const removed: string[] = []
  const chunking = lines.slice(1).some((line) => line.keyword === 'CHUNKING')
  const kept = lines.flatMap((line, index) => (index === 0 ? [line] : keep(line, security, chunking, removed)))
  const added = offersStarttls(security) ? [STARTTLS] : []
  if (removed.length === 0 && added.length === 0) return untouched
  const wanted = offersStarttls(security) ? withStarttls(kept) : kept
  return { bytes: join(wanted), removed, added }
}

/** True if a client with this security may begin TLS by STARTTLS. */
export function offersStarttls(security: ClientSecurity): boolean {
  return security === 'starttls-offered' || security === 'starttls-required'
}

/** The line, a shorter one, or none; names what went. */
function keep(line: Line, security: ClientSecurity, chunking: boolean, removed: string[]): Line[] {
  if (mustGo(line.keyword, security, chunking)) {
    removed.push(line.keyword)
    return []
  }
  return line.keyword === 'AUTH' ? withoutMechanisms(line, removed) : [line]
}

function mustGo(keyword: string, security: ClientSecurity, chunking: boolean): boolean {
  if (KEYWORDS.has(keyword) || keyword === STARTTLS) return true
  if (keyword === 'BINARYMIME') return !chunking // RFC 3030 3: it is sent by BDAT only
  if (keyword === 'REQUIRETLS') return security !== 'tls' // RFC 8689: the whole path must be inside TLS
  return keyword === 'AUTH' && security === 'starttls-required' // RFC 4954 4: not before TLS where TLS is demanded
}

function withoutMechanisms(line: Line, removed: string[]): Line[] {
  const text = line.bytes.toString('latin1')
  const [, head, list, ending] = /^(....AUTH[ \t=]+)([^\r\n]*)(\r?\n?)$/is.exec(text) ?? []
  if (head === undefined || list === undefined) return [line]
  const names = list.split(/[ \t]+/).filter((name) => name !== '')
  const kept = names.filter((name) => !isRemovedMechanism(name))
  if (kept.length === names.length) return [line]
  removed.push(...names.filter(isRemovedMechanism).map(mechanismName))
  const bytes = Buffer.from(`${head}${kept.join(' ')}${ending}`, 'latin1')
  return kept.length === 0 ? [] : [{ bytes, keyword: line.keyword }]
}

function isRemovedMechanism(name: string): boolean {
  const upper = name.toUpperCase()
  return MECHANISMS.has(upper) || upper.endsWith('-PLUS') || upper.startsWith('GS2-')
}

/** The name as it may be reported: from the table, or its family; an upstream's own words stay out. */
function mechanismName(name: string): string {
  const upper = name.toUpperCase()
  if (MECHANISMS.has(upper)) return upper
  return upper.endsWith('-PLUS') ? '*-PLUS' : 'GS2-*'
}

/** Before the last keyword, so that every line of the upstream keeps its bytes. */
function withStarttls(lines: readonly Line[]): Line[] {
  const line = { bytes: Buffer.from(`250-${STARTTLS}\r\n`), keyword: STARTTLS }
  const at = Math.max(1, lines.length - 1)
  return [...lines.slice(0, at), line, ...lines.slice(at)]
}

function join(lines: readonly Line[]): Buffer {
  return Buffer.concat(lines.map((line, index) => mark(line.bytes, index === lines.length - 1 ? SPACE : DASH)))
}

/** The line with `separator` behind its code; the same bytes when it has it already. */
function mark(line: Buffer, separator: number): Buffer {
  const current = line[3]
  if (current === separator) return line
  const bare = current !== SPACE && current !== DASH
  if (bare && separator === SPACE) return line
  return Buffer.concat([line.subarray(0, 3), Buffer.of(separator), line.subarray(bare ? 3 : 4)])
}

function linesOf(reply: Buffer): Line[] {
  const lines: Line[] = []
  for (let start = 0; start < reply.length; ) {
    const lf = reply.indexOf(LF, start)
    const end = lf < 0 ? reply.length : lf + 1
    const bytes = reply.subarray(start, end)
    lines.push({ bytes, keyword: keywordOf(bytes) })
    start = end
  }
  return lines
}

/** Up to the first blank or `=` (some servers write `AUTH=LOGIN` for old clients), letters in upper case. */
function keywordOf(line: Buffer): string {
  const word = /^[A-Za-z0-9-]{1,40}(?=[ \t=\r\n]|$)/.exec(line.toString('latin1', 4, 64))
  return word ? word[0].toUpperCase() : ''
}
