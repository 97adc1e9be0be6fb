import net from 'node:net'

/**
 * Reusable buffers that client sockets read into. Node allocates 64 KB for every read. With large messages, memory then
 * grows until the garbage collector runs. Commands are read into one buffer that all sockets share (a read and its callback
 * are one step, so no two use it at once) and are copied out of it. Bodies are read into blocks of their own, which come
 * back when the upstream has taken their bytes.
 */

/** Bytes of one read, as in Node itself. */
const BLOCK_BYTES = 64 * 1024
/** A block is kept for a read of at least this many bytes: many small reads would keep 64 KiB each. Arbitrary. */
const MIN_KEPT_BYTES = 4096
/** Blocks that wait to be used again; the garbage collector gets the rest. */
const MAX_FREE = 64

export class ReadPool {
  readonly shared: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)
  }

  /** No one may read `block` any more. */
  give(block: Buffer): void {
    if (this.#free.length < MAX_FREE) this.#free.push(block)
  }
}

/** The reader of a pooled socket. */
export interface BlockReader {
  /** True if large reads are expected: the next one gets a block of its own. */
  bulk(): boolean
  /** Without `release`, the chunk may be kept. With `release`, only until that is called (once, or never). */
  data(chunk: Buffer, release?: () => void): void
}

/** The part of a socket's private state in node:net that a second socket on the same handle needs. */
interface Adoptable {
  _handle: { useUserBuffer?: unknown } | null
}

/**
 * Returns a paused socket that replaces `accepted` and reads into the pool; `accepted` must not be used any more. Node has
 * no public way to give an accepted socket a buffer (`onread` is for connecting sockets). If its internals are not as
 * expected, `accepted` itself comes back and reads as usual.
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
      callback: (bytes: number, block: Buffer) => {
        const chunk = block.subarray(0, bytes)
        if (block !== pool.shared && bytes >= MIN_KEPT_BYTES) reader.data(chunk, () => pool.give(block))
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
