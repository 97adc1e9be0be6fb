/**
 * The changes that the proxy makes to an EHLO reply (RFC 5321 4.1.1.1). The policy is data:
 * docs/what-it-changes.md and the status page show the tables below.
 */

/** Whether the client connection is inside TLS; if not, whether the listener offers or requires STARTTLS. */
export type ClientSecurity = 'tls' | 'plain' | 'starttls-offered' | 'starttls-required'

/** Extensions that give the peer trust, another role or control over framing. Clients must not reach them at AhaSend. */
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
 * Mechanisms that cannot work through a proxy that terminates TLS: channel binding (`*-PLUS`), client certificates
 * (EXTERNAL), and mechanisms whose security layer would change the framing (RFC 4422 3.7).
 */
export const REMOVED_MECHANISMS = ['GSSAPI', 'GSS-SPNEGO', 'KERBEROS_V4', 'DIGEST-MD5', 'EXTERNAL'] as const

const KEYWORDS: ReadonlySet<string> = new Set(REMOVED_KEYWORDS)
const MECHANISMS: ReadonlySet<string> = new Set(REMOVED_MECHANISMS)

/** The EHLO reply for the client. */
export interface RewrittenEhlo {
  readonly bytes: Buffer
  /** Only names from the tables above, `STARTTLS`, `REQUIRETLS`, `BINARYMIME`, `AUTH` or mechanisms. */
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

/** True if a 250 reply to EHLO lists `keyword` (upper case). */
export function offers(reply: Buffer, keyword: string): boolean {
  return linesOf(reply)
    .slice(1)
    .some((line) => line.keyword === keyword)
}

/**
 * The EHLO reply for a client whose connection has this security. Kept lines keep their bytes, except that the separator of
 * the last line moves if the last line changes. A reply in which a line does not begin with `250` is returned unchanged.
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

/** Returns the line, a shorter one, or none, and adds the removed names to `removed`. */
function keep(line: Line, security: ClientSecurity, chunking: boolean, removed: string[]): Line[] {
  if (mustRemove(line.keyword, security, chunking)) {
    removed.push(line.keyword)
    return []
  }
  return line.keyword === 'AUTH' ? withoutMechanisms(line, removed) : [line]
}

function mustRemove(keyword: string, security: ClientSecurity, chunking: boolean): boolean {
  if (KEYWORDS.has(keyword) || keyword === STARTTLS) return true
  if (keyword === 'BINARYMIME') return !chunking // RFC 3030 3: it requires BDAT
  if (keyword === 'REQUIRETLS') return security !== 'tls' // RFC 8689: the whole path must be inside TLS
  return keyword === 'AUTH' && security === 'starttls-required' // RFC 4954 4: not before TLS if TLS is required
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

/** The name for reports: from the table, or its family. Text from an upstream is never reported. */
function mechanismName(name: string): string {
  const upper = name.toUpperCase()
  if (MECHANISMS.has(upper)) return upper
  return upper.endsWith('-PLUS') ? '*-PLUS' : 'GS2-*'
}

/** Inserts STARTTLS before the last keyword, so that every line of the upstream keeps its bytes. */
function withStarttls(lines: readonly Line[]): Line[] {
  const line = { bytes: Buffer.from(`250-${STARTTLS}\r\n`), keyword: STARTTLS }
  const at = Math.max(1, lines.length - 1)
  return [...lines.slice(0, at), line, ...lines.slice(at)]
}

function join(lines: readonly Line[]): Buffer {
  return Buffer.concat(lines.map((line, index) => mark(line.bytes, index === lines.length - 1 ? SPACE : DASH)))
}

/** The line with `separator` after its code; the same buffer if it already has it. */
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

/** The text up to the first blank or `=` (some servers write `AUTH=LOGIN` for old clients), in upper case. */
function keywordOf(line: Buffer): string {
  const word = /^[A-Za-z0-9-]{1,40}(?=[ \t=\r\n]|$)/.exec(line.toString('latin1', 4, 64))
  return word ? word[0].toUpperCase() : ''
}
