/** Counts sessions, in total and per client, and enforces the limits. */
export interface Admission {
  /** Counts one more session of `client` and returns true. Returns false if a limit is reached. */
  enter(client: string): boolean
  /** A counted session has ended. */
  leave(client: string): void
}

/** The limits. */
interface SessionLimits {
  /** Concurrent sessions. */
  readonly sessions: number
  /** Concurrent sessions per client; 0 = no limit. */
  readonly perClient: number
}

/** Counts the sessions of a single event loop. */
export class LocalAdmission implements Admission {
  readonly #limits: SessionLimits
  readonly #perClient = new Map<string, number>()
  #sessions = 0

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  enter(client: string): boolean {
    const count = this.#perClient.get(client) ?? 0
    const { sessions, perClient } = this.#limits
    if (this.#sessions >= sessions || (perClient > 0 && count >= perClient)) return false
    this.#sessions += 1
    this.#perClient.set(client, count + 1)
    return true
  }

  leave(client: string): void {
    this.#sessions -= 1
    const count = (this.#perClient.get(client) ?? 1) - 1
    if (count > 0) this.#perClient.set(client, count)
    else this.#perClient.delete(client)
  }
}

/** Slots for clients. The slot before them counts all sessions. */
const SLOTS = 2 ** 20

/**
 * Counts the sessions of several event loops in shared memory. Clients are counted by a hash of their address: two clients
 * with the same hash share a limit, which happens to about one client in a thousand.
 */
export class SharedAdmission implements Admission {
  readonly #limits: SessionLimits
  readonly #counts: Int32Array

  /** `memory` comes from `SharedAdmission.memory()`, the same for all loops. */
  constructor(limits: SessionLimits, memory: SharedArrayBuffer) {
    this.#limits = limits
    this.#counts = new Int32Array(memory)
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer((SLOTS + 1) * Int32Array.BYTES_PER_ELEMENT)
  }

  enter(client: string): boolean {
    const { sessions, perClient } = this.#limits
    if (!this.#take(0, sessions)) return false
    if (this.#take(slotOf(client), perClient > 0 ? perClient : Number.POSITIVE_INFINITY)) return true
    Atomics.sub(this.#counts, 0, 1)
    return false
  }

  leave(client: string): void {
    Atomics.sub(this.#counts, 0, 1)
    Atomics.sub(this.#counts, slotOf(client), 1)
  }

  /** Increments before it compares, so that two loops never both take the last place. */
  #take(slot: number, limit: number): boolean {
    if (Atomics.add(this.#counts, slot, 1) < limit) return true
    Atomics.sub(this.#counts, slot, 1)
    return false
  }
}

/** FNV-1a of the text of an address. */
function slotOf(client: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < client.length; index += 1) {
    hash = Math.imul(hash ^ client.charCodeAt(index), 0x01000193)
  }
  return 1 + ((hash >>> 0) % SLOTS)
}
