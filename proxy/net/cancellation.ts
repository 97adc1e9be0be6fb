/** The part of an AbortSignal that dials need. */
export interface CancelSignal {
  readonly aborted: boolean
  /** Why: an error. */
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/**
 * An AbortController and its signal in one object. Each session and each dial needs one, and hardly any is aborted, so it
 * must cost little: Node's own cost about 2% of the CPU of a short session in plain text (2026-11-30).
 */
export class Cancellation implements CancelSignal {
  #reason: Error | undefined
  readonly #listeners = new Set<() => void>()

  get aborted(): boolean {
    return this.#reason !== undefined
  }

  get reason(): unknown {
    return this.#reason
  }

  /** Calls all listeners, once. */
  abort(): void {
    if (this.#reason) return
    this.#reason = new DOMException('This operation was aborted', 'AbortError')
    // a listener may remove others, and one that throws must not keep the rest for a second call
    const listeners = [...this.#listeners]
    for (const listener of listeners) if (this.#listeners.delete(listener)) listener()
  }

  /** Does nothing after the abort, as an AbortSignal. */
  addEventListener(_type: 'abort', listener: () => void): void {
    if (!this.#reason) this.#listeners.add(listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener)
  }
}
