/** When the last session began, in any event loop: the loops share the memory. In whole seconds. */
export class LastSession {
  readonly memory: SharedArrayBuffer
  readonly #second: Uint32Array

  /** `memory` is that of another one, to share its value. */
  constructor(memory = new SharedArrayBuffer(Uint32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#second = new Uint32Array(memory)
  }

  /** A session begins at `at`, in milliseconds since the Unix epoch. */
  begins(at: number): void {
    Atomics.store(this.#second, 0, Math.max(1, Math.floor(at / 1000)))
  }

  /** True if a session began less than `ms` before `at`. */
  isWithin(ms: number, at: number): boolean {
    const second = Atomics.load(this.#second, 0)
    return second > 0 && at - second * 1000 < ms
  }
}
