/**
 * What a message's header section (RFC 5322 2.2) says to telemetry, found while the body streams by. The octets are
 * looked at and neither kept nor changed, except those of the few fields below.
 *
 * The section ends at the first empty line. A line ends at its line feed, with or without a carriage return before it:
 * strict servers know CRLF only, lenient ones take both, and to see more fields than the server does no harm here. A
 * line that is no field is passed over. So is a line that begins with a dot: a client stuffs lines that begin with one
 * (RFC 5321 4.5.2), which no field of interest does.
 */

/** What was found. A field that is malformed, too long or not there is absent. */
export interface HeaderFacts {
  /** W3C trace context: version 00 whole, of later versions the part that version 00 knows. */
  readonly traceparent?: string
  /** Printable ASCII; only beside a `traceparent`, as W3C Trace Context 2.3 demands. */
  readonly tracestate?: string
  /** True or absent. */
  readonly sandbox?: boolean
  readonly tags?: readonly string[]
  /** With its angle brackets. */
  readonly messageId?: string
}

/** Octets of a message in which fields are looked for. Arbitrary: senders need a few thousand. */
export const MAX_HEADER_BYTES = 64 * 1024
/** Octets of one field, with its name and folding. Arbitrary: above the longest value that is of use. */
export const MAX_FIELD_BYTES = 2048
/** W3C Trace Context 3.3.1.5 asks to propagate at least so much; a longer list is absent. */
export const MAX_TRACESTATE_LENGTH = 512
/** AhaSend's limits on `ahasend-tags`. */
export const MAX_TAGS = 10
export const MAX_TAG_LENGTH = 64
/** RFC 5322 2.1.1: the longest line. */
const MAX_MESSAGE_ID_LENGTH = 998

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09
/** The bit in which the two cases of an ASCII letter differ. */
const LOWER_CASE = 0x20

const NAMES = ['traceparent', 'tracestate', 'ahasend-sandbox', 'ahasend-tags'].map((name) => Buffer.from(name))
const NAMES_AND_ID = [...NAMES, Buffer.from('message-id')]

/** A field as it was folded; blanks before the colon are the obsolete syntax of RFC 5322 4.5. */
const FIELD = /^([a-z-]+)[ \t]*:(.*)$/is

/** Reads the header section of one message. Make a new one for each. */
export class HeaderScanner {
  readonly #names: readonly Buffer[]
  readonly #found = new Findings()
  /** Octets that may still be looked at; 0 behind the end. */
  #left = MAX_HEADER_BYTES
  /** Octets of the unfinished line. */
  #lineBytes = 0
  #beganWithCr = false
  /** The present field is of interest, as far as its octets tell. */
  #keeps = false
  #kept: Buffer[] = []
  #keptBytes = 0

  /** With `messageId` that field is looked for, too. */
  constructor(messageId = false) {
    this.#names = messageId ? NAMES_AND_ID : NAMES
  }

  /** True when nothing that follows will be looked at. */
  get done(): boolean {
    return this.#left === 0
  }

  /** Reads octets of the message: those of `chunk` from `from` to before `to`. The buffer is not kept. */
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
   * What was found, or undefined; nothing is looked at any more. A line without its end is not believed, nor is the field
   * that it continues.
   */
  finish(): HeaderFacts | undefined {
    if (this.#lineBytes === 0) this.#endField()
    this.#forget()
    this.#left = 0
    return this.#found.facts()
  }

  /** A part of a line, or all of it; `whole` when its end is there. */
  #read(chunk: Buffer, at: number, end: number, whole: boolean): void {
    if (this.#lineBytes === 0) this.#beginLine(chunk, at, end)
    this.#lineBytes += end - at
    if (this.#keeps) this.#keep(chunk.subarray(at, end))
    if (whole) this.#endLine()
  }

  /** A line that begins with a blank continues the field before it; any other ends that field. */
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

/** Plain loops: this runs for each line of each header section. */
function mayBeginOneOf(names: readonly Buffer[], chunk: Buffer, at: number, end: number): boolean {
  for (const name of names) if (mayBeginWith(name, chunk, at, end)) return true
  return false
}

/** True when the octets, as far as they are there, could spell `name`, letters in any case. */
function mayBeginWith(name: Buffer, chunk: Buffer, at: number, end: number): boolean {
  const length = Math.min(name.length, end - at)
  for (let index = 0; index < length; index += 1) {
    if ((chunk[at + index]! | LOWER_CASE) !== name[index]) return false
  }
  return true
}

/** RFC 5322 2.2.3: the line ends before blanks go, the blanks stay. */
function unfold(value: string): string {
  return value.replace(/\r?\n(?=[ \t])/g, '').trim()
}

/** What the fields said so far, bounded whatever their number. */
class Findings {
  /** Of a field that may stand once: its value; null when it stood twice, so that nobody knows which one counts. */
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

/** W3C Trace Context 3.2.2: lower case only; version ff and ids of zeros are invalid; only later versions go on. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?=$|-)/

function traceparentOf(value: string): string | undefined {
  const [known, version] = TRACEPARENT.exec(value) ?? []
  return version === '00' && known !== value ? undefined : known
}

/**
 * W3C Trace Context 3.3.1: several fields are one list, in their order; blanks around commas (a fold leaves some) and empty
 * members mean nothing. One character too many marks what is too long.
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

/** The tags that AhaSend takes: what is empty, too long or not printable is left out. */
function tagsOf(value: string): string[] {
  return membersOf(value).filter((tag) => !/[\p{Cc}\ufffd]/u.test(tag) && [...tag].length <= MAX_TAG_LENGTH)
}

/** RFC 5322 3.6.4, without a look at what is between the brackets. */
function messageIdOf(value: string): string | undefined {
  const found = /^<[^<>\s\p{Cc}\ufffd]+>$/u.test(value)
  return found && Buffer.byteLength(value) <= MAX_MESSAGE_ID_LENGTH ? value : undefined
}
