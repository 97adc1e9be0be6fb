/** Splits what a client read into replies. */

/** Splits bytes into complete replies (RFC 5321 4.2.1). `rest` is what follows the last complete one. */
export function completeReplies(bytes: Buffer): { readonly replies: readonly Buffer[]; readonly rest: Buffer } {
  const replies: Buffer[] = []
  let begin = 0
  for (let start = 0, lf = bytes.indexOf(0x0a); lf >= 0; start = lf + 1, lf = bytes.indexOf(0x0a, start)) {
    if (/^\d{3}-/.test(bytes.toString('latin1', start, start + 4))) continue
    replies.push(bytes.subarray(begin, lf + 1))
    begin = lf + 1
  }
  return { replies, rest: bytes.subarray(begin) }
}

/** The stamp of a reply of the upstream; undefined for a local reply. */
export function stampOf(reply: Buffer): string | undefined {
  return /r-\d+-\d+;/.exec(reply.toString('latin1'))?.[0]
}

/** The code of a reply. */
export function codeOf(reply: Buffer): number {
  return Number(reply.toString('latin1', 0, 3))
}
