/** The client's half of an incremental SMTP parser: counts commands and messages, and creates no string. */
import { EndOfData } from '../../sinks/end-of-data.ts'

const LF = 10
/** `DATA`, as the first four bytes of a line in upper case. */
const DATA = Buffer.from('DATA').readUInt32BE()
const TO_UPPER = 0xdfdfdfdf

export class CommandCounter {
  readonly #totals: { commands: number; messages: number }
  readonly #end = new EndOfData()
  #inData = false
  #rest: Buffer | undefined

  constructor(totals: { commands: number; messages: number }) {
    this.#totals = totals
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; )
      at += this.#inData ? this.#data(chunk.subarray(at)) : this.#command(chunk.subarray(at))
  }

  #data(bytes: Buffer): number {
    const length = this.#end.find(bytes)
    if (length === -1) return bytes.length
    this.#inData = false
    this.#totals.messages += 1
    return length
  }

  #command(bytes: Buffer): number {
    const end = bytes.indexOf(LF)
    if (end === -1) {
      this.#rest = this.#rest === undefined ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes])
      return bytes.length
    }
    const line = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes])
    this.#rest = undefined
    this.#totals.commands += 1
    // a DATA that is refused is taken for a message: good enough for a server that accepts everything
    this.#inData = line.length >= 4 && ((line.readUInt32BE() & TO_UPPER) | 0) === (DATA | 0)
    return end + 1
  }
}
