import net from 'node:net'

/**
 * Buffers that client sockets read into, used again and again. Node allocates 64 KB for every read; large mails then make
 * the collector work, and memory grows until it does. Commands are read into one buffer that all sockets share (a read and
 * its callback are one step, so that no two ever use it at once) and are copied out of it; bodies are read into blocks of
 * their own, which come back when the upstream has taken their octets.
 */

/** Octets of one read, as Node's own. */
const BLOCK_BYTES = 64 * 1024
/** A block is kept for a read of at least this many bytes: many small reads would keep 64 KiB each. Arbitrary. */
const MIN_KEPT_BYTES = 4096
/** Blocks that wait to be used again; more are left to the collector. */
const MAX_FREE = 64

export class ReadPool {
  readonly shared: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)
  }

  /** Nobody may look at `block` any more. */
  give(block: Buffer): void {
    if (this.#free.length < MAX_FREE) this.#free.push(block)
  }
}

/** The reader of a pooled socket. */
export interface BlockReader {
  /** True when large reads are to be expected: the next one gets a block of its own. */
  bulk(): boolean
  /** Octets to keep as long as wanted; or, with `release`, only until that is called (once, or never). */
  data(chunk: Buffer, release?: () => void): void
}

/** What node:net keeps in a socket, as far as a second socket on the same handle needs it. */
interface Adoptable {
  _handle: { useUserBuffer?: unknown } | null
}

/**
 * A socket in place of `accepted`, which reads into the pool; `accepted` is not to be used any more. It is paused. There is
 * no public way to give an accepted socket a buffer (`onread` is for connecting sockets): where Node's inside is not as
 * expected, `accepted` itself comes back, and reads as usual.
 */
export function pooled(accepted: net.Socket, pool: ReadPool, reader: BlockReader): net.Socket {
  const inside = accepted as unknown as Adoptable
  const handle = inside._handle
  if (typeof handle?.useUserBuffer !== 'function') return accepted
  inside._handle = null
  const options = {
    handle,
    allowHalfOpen: true,
    pauseOnCreate: true,
    onread: {
      buffer: () => (reader.bulk() ? pool.take() : pool.shared),
      callback: (octets: number, block: Buffer) => {
        const chunk = block.subarray(0, octets)
        if (block !== pool.shared && octets >= MIN_KEPT_BYTES) reader.data(chunk, () => pool.give(block))
        else {
          reader.data(Buffer.from(chunk))
          if (block !== pool.shared) pool.give(block)
        }
        return true
      },
    },
  }
  return new net.Socket(options as unknown as net.SocketConstructorOpts)
}
