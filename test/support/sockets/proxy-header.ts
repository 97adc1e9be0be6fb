/** Feeds headers of the PROXY protocol to the reader, cut in every way, and returns the result. */
import assert from 'node:assert/strict'
import { type ProxyHeader, type ProxyHeaderError, ProxyHeaderReader } from '../../../proxy/net/proxy-protocol.ts'

/** What follows a header in these tests. */
export const REST = 'EHLO app\r\n'

/** The result of a header: the client's endpoint, `peer` when the header names none, or why it is refused. */
export type Verdict = 'more' | 'peer' | ProxyHeaderError | `${string} ${number}`

/** The verdict that a header means. */
export function verdictOf(header: ProxyHeader): Verdict {
  if (header === 'more') return header
  if ('error' in header) return header.error
  return header.source === undefined ? 'peer' : `${header.source.address} ${header.source.port}`
}

/** Feeds chunks until there is a verdict. `rest` is what follows an accepted header. */
export function read(chunks: readonly Buffer[]): { readonly verdict: Verdict; readonly rest: string } {
  const reader = new ProxyHeaderReader()
  for (const [index, chunk] of chunks.entries()) {
    const header = reader.push(chunk)
    if (header === 'more') continue
    const rest = 'rest' in header ? [header.rest, ...chunks.slice(index + 1)] : []
    return { verdict: verdictOf(header), rest: Buffer.concat(rest).toString('latin1') }
  }
  return { verdict: 'more', rest: '' }
}

/** The same bytes whole, byte by byte, and cut in two at every place. */
function everyCut(bytes: Buffer): Buffer[][] {
  const single = Array.from(bytes, (byte) => Buffer.of(byte))
  const pairs = single.map((_, cut) => [bytes.subarray(0, cut), bytes.subarray(cut)])
  return [[bytes], single, ...pairs]
}

/** Asserts the verdict for every cut, and that no byte after an accepted header is lost. */
export function expectVerdict(header: Buffer | string, verdict: Verdict): void {
  const bytes = Buffer.concat([Buffer.from(header as string, 'latin1'), Buffer.from(REST)])
  const accepted = verdict === 'peer' || verdict.includes(' ')
  for (const chunks of everyCut(bytes)) assert.deepEqual(read(chunks), { verdict, rest: accepted ? REST : '' })
}
