/**
 * Reads the few fields of a message's header section (RFC 5322 2.2) that telemetry uses, while the message is relayed.
 * All other bytes are neither kept nor changed.
 *
 * The section ends at the first empty line. A line ends at its line feed, with or without a carriage return before it:
 * strict servers accept only CRLF, lenient ones accept both, and reading more fields than the server does no harm here.
 * Lines that are not fields are skipped, and so are lines that begin with a dot: dot-stuffing (RFC 5321 4.5.2) changes
 * only such lines, and no field used here begins with a dot.
 */

/** The fields that were found. A malformed, too long or missing field is absent. */
export interface HeaderFacts {
  /** W3C trace context: all of version 00; of later versions, the part that version 00 defines. */
  readonly traceparent?: string
  /** Printable ASCII; only together with a `traceparent`, as W3C Trace Context 2.3 requires. */
  readonly tracestate?: string
  /** True or absent. */
  readonly sandbox?: boolean
  readonly tags?: readonly string[]
  /** With its angle brackets. */
  readonly messageId?: string
}

/** The number of bytes of a message in which fields are searched. Arbitrary: real header sections have a few thousand. */
export const MAX_HEADER_BYTES = 64 * 1024
/** The longest field in bytes, including its name and folding. Arbitrary: above the longest usable value. */
export const MAX_FIELD_BYTES = 2048
/** W3C Trace Context 3.3.1.5 requires support for at least this length. A longer list is absent. */
export const MAX_TRACESTATE_LENGTH = 512
/** AhaSend's limits on `ahasend-tags`. */
const MAX_TAGS = 10
const MAX_TAG_LENGTH = 64
/** RFC 5322 2.1.1: the longest line. */
const MAX_MESSAGE_ID_LENGTH = 998

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09
/** The bit that distinguishes the two cases of an ASCII letter. */
const LOWER_CASE = 0x20

const NAMES = ['traceparent', 'tracestate', 'ahasend-sandbox', 'ahasend-tags'].map((name) => Buffer.from(name))
const NAMES_AND_ID = [...NAMES, Buffer.from('message-id')]

/** A folded field. Blanks before the colon are the obsolete syntax of RFC 5322 4.5. */
const FIELD = /^([a-z-]+)[ \t]*:(.*)$/is

/** Reads the header section of one message. Create one per message. */
export class HeaderScanner {
  readonly #names: readonly Buffer[]
  readonly #found = new Findings()
  /** Bytes that may still be read; 0 after the end of the section. */
  #left = MAX_HEADER_BYTES
  /** Bytes of the unfinished line. */
  #lineBytes = 0
  #beganWithCr = false
  /** True while the bytes of the current field match one of the names. */
  #keeps = false
  #kept: Buffer[] = []
  #keptBytes = 0

  /** With `messageId`, also reads that field. */
  constructor(messageId = false) {
    this.#names = messageId ? NAMES_AND_ID : NAMES
  }

  /** True if all further bytes will be ignored. */
  get done(): boolean {
    return this.#left === 0
  }

  /** Reads the bytes of `chunk` from `from` to before `to`. Does not keep the buffer. */
  push(chunk: Buffer, from: number, to: number): void {
    const limit = Math.min(to, from + this.#left)
    for (let at = from; at < limit && this.#left > 0; ) {
      const lf = chunk.indexOf(LF, at)
      const whole = lf >= 0 && lf < limit
      const end = whole ? lf + 1 : limit
      this.#left -= end - at
      this.#read(chunk, at, end, whole)
      at = end
    }
  }

  /**
   * Returns the fields that were found, or undefined, and ignores all further bytes. An unfinished line does not count, nor
   * does the field that it continues.
   */
  finish(): HeaderFacts | undefined {
    if (this.#lineBytes === 0) this.#endField()
    this.#forget()
    this.#left = 0
    return this.#found.facts()
  }

  /** Reads a part of a line. `whole` is true if it includes the end of the line. */
  #read(chunk: Buffer, at: number, end: number, whole: boolean): void {
    if (this.#lineBytes === 0) this.#beginLine(chunk, at, end)
    this.#lineBytes += end - at
    if (this.#keeps) this.#keep(chunk.subarray(at, end))
    if (whole) this.#endLine()
  }

  /** A line that begins with a blank continues the previous field. Any other line ends it. */
  #beginLine(chunk: Buffer, at: number, end: number): void {
    const first = chunk[at]!
    if (first === SPACE || first === TAB) return
    this.#endField()
    this.#beganWithCr = first === CR
    this.#keeps = mayBeginOneOf(this.#names, chunk, at, end)
  }

  #keep(part: Buffer): void {
    this.#keptBytes += part.length
    if (this.#keptBytes > MAX_FIELD_BYTES) this.#forget()
    else this.#kept.push(Buffer.from(part))
  }

  #endLine(): void {
    if (this.#lineBytes === (this.#beganWithCr ? 2 : 1)) this.#left = 0
    this.#lineBytes = 0
    this.#beganWithCr = false
  }

  #endField(): void {
    if (this.#kept.length === 0) return
    const [, name, value] = FIELD.exec(Buffer.concat(this.#kept).toString()) ?? []
    if (name && value) this.#found.add(name.toLowerCase(), unfold(value))
    this.#forget()
  }

  #forget(): void {
    this.#keeps = false
    this.#kept = []
    this.#keptBytes = 0
  }
}

/** Plain loops, because this runs for each line of each header section. */
function mayBeginOneOf(names: readonly Buffer[], chunk: Buffer, at: number, end: number): boolean {
  for (const name of names) if (mayBeginWith(name, chunk, at, end)) return true
  return false
}

/** True if the available bytes match the beginning of `name`, in any case. */
function mayBeginWith(name: Buffer, chunk: Buffer, at: number, end: number): boolean {
  const length = Math.min(name.length, end - at)
  for (let index = 0; index < length; index += 1) {
    if ((chunk[at + index]! | LOWER_CASE) !== name[index]) return false
  }
  return true
}

/** RFC 5322 2.2.3: removes the line ends before blanks, and keeps the blanks. */
function unfold(value: string): string {
  return value.replace(/\r?\n(?=[ \t])/g, '').trim()
}

/** The values of the fields so far. Their size is bounded, however many fields there are. */
class Findings {
  /** The value of a field that may occur once; null if it occurred twice, because it is unclear which one counts. */
  #traceparent: string | null | undefined
  #messageId: string | null | undefined
  #tracestate = ''
  #sandbox = false
  #tags: readonly string[] = []

  add(name: string, value: string): void {
    switch (name) {
      case 'traceparent':
        this.#traceparent = this.#traceparent === undefined ? value : null
        return
      case 'tracestate':
        this.#tracestate = joined(this.#tracestate, value)
        return
      case 'ahasend-sandbox':
        this.#sandbox ||= /^(?:true|1)$/i.test(value)
        return
      case 'ahasend-tags':
        this.#tags = [...this.#tags, ...tagsOf(value)].slice(0, MAX_TAGS)
        return
      case 'message-id':
        this.#messageId = this.#messageId === undefined ? value : null
    }
  }

  facts(): HeaderFacts | undefined {
    const traceparent = traceparentOf(this.#traceparent ?? '')
    const tracestate = traceparent && tracestateOf(this.#tracestate)
    const messageId = messageIdOf(this.#messageId ?? '')
    const tags = this.#tags
    if (!traceparent && !this.#sandbox && tags.length === 0 && !messageId) return undefined
    return {
      ...(traceparent && { traceparent }),
      ...(tracestate && { tracestate }),
      ...(this.#sandbox && { sandbox: true }),
      ...(tags.length > 0 && { tags }),
      ...(messageId && { messageId }),
    }
  }
}

/** W3C Trace Context 3.2.2: lower case only; version ff and ids of zeros are invalid; only later versions may be longer. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?=$|-)/

function traceparentOf(value: string): string | undefined {
  const [known, version] = TRACEPARENT.exec(value) ?? []
  return version === '00' && known !== value ? undefined : known
}

/**
 * W3C Trace Context 3.3.1: several fields form one list, in their order. Blanks around commas (from folding) and empty
 * members are ignored. One character above the limit marks a list that is too long.
 */
function joined(list: string, value: string): string {
  return (list === '' ? membersOf(value) : [list, ...membersOf(value)]).join(',').slice(0, MAX_TRACESTATE_LENGTH + 1)
}

function membersOf(list: string): string[] {
  const members = list.split(',').map((member) => member.trim())
  return members.filter((member) => member !== '')
}

function tracestateOf(list: string): string | undefined {
  return list.length <= MAX_TRACESTATE_LENGTH && /^[\x20-\x7e]+$/.test(list) ? list : undefined
}

/** The tags that AhaSend accepts: none that is empty, too long or not printable. */
function tagsOf(value: string): string[] {
  return membersOf(value).filter((tag) => !/[\p{Cc}\ufffd]/u.test(tag) && [...tag].length <= MAX_TAG_LENGTH)
}

/** RFC 5322 3.6.4, without checking the text between the brackets. */
function messageIdOf(value: string): string | undefined {
  const found = /^<[^<>\s\p{Cc}\ufffd]+>$/u.test(value)
  return found && Buffer.byteLength(value) <= MAX_MESSAGE_ID_LENGTH ? value : undefined
}
