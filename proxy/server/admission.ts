/** Who may come in: the count of sessions, in all and for each client, against the caps. */
export interface Admission {
  /** Counts one more session of `client`, unless a cap is reached. Returns whether it was counted. */
  enter(client: string): boolean
  /** A session that was counted has gone. */
  leave(client: string): void
}

/** The caps. */
export interface Caps {
  /** Sessions at a time. */
  readonly sessions: number
  /** The same for each client; 0 = no cap. */
  readonly perClient: number
}

/** Counts for one event loop: exact. */
export class LocalAdmission implements Admission {
  readonly #caps: Caps
  readonly #perClient = new Map<string, number>()
  #sessions = 0

  constructor(caps: Caps) {
    this.#caps = caps
  }

  enter(client: string): boolean {
    const mine = this.#perClient.get(client) ?? 0
    const { sessions, perClient } = this.#caps
    if (this.#sessions >= sessions || (perClient > 0 && mine >= perClient)) return false
    this.#sessions += 1
    this.#perClient.set(client, mine + 1)
    return true
  }

  leave(client: string): void {
    this.#sessions -= 1
    const mine = (this.#perClient.get(client) ?? 1) - 1
    if (mine > 0) this.#perClient.set(client, mine)
    else this.#perClient.delete(client)
  }
}

/** Slots for clients; the one before them counts all sessions. */
const SLOTS = 2 ** 20

/**
 * Counts for several event loops, in memory that they share. Clients are counted by a hash of their address: two that
 * fall together share a cap, which of a thousand clients happens to one.
 */
export class SharedAdmission implements Admission {
  readonly #caps: Caps
  readonly #counts: Int32Array

  /** `memory` comes from `SharedAdmission.memory()`, the same for all loops. */
  constructor(caps: Caps, memory: SharedArrayBuffer) {
    this.#caps = caps
    this.#counts = new Int32Array(memory)
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer((SLOTS + 1) * Int32Array.BYTES_PER_ELEMENT)
  }

  enter(client: string): boolean {
    const { sessions, perClient } = this.#caps
    if (!this.#take(0, sessions)) return false
    if (this.#take(slotOf(client), perClient > 0 ? perClient : Number.POSITIVE_INFINITY)) return true
    Atomics.sub(this.#counts, 0, 1)
    return false
  }

  leave(client: string): void {
    Atomics.sub(this.#counts, 0, 1)
    Atomics.sub(this.#counts, slotOf(client), 1)
  }

  /** Counts first and looks then, so that two loops never both take the last place. */
  #take(slot: number, cap: number): boolean {
    if (Atomics.add(this.#counts, slot, 1) < cap) return true
    Atomics.sub(this.#counts, slot, 1)
    return false
  }
}

/** FNV-1a, over the text of an address. */
function slotOf(client: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < client.length; index += 1) {
    hash = Math.imul(hash ^ client.charCodeAt(index), 0x01000193)
  }
  return 1 + ((hash >>> 0) % SLOTS)
}
