/** What one event loop reports about itself. */
export interface LoopFigures {
  /** Seconds since its start in which it worked. */
  readonly active: number
  /** Seconds since its start in which it was idle. */
  readonly idle: number
  /** The longest delay of a callback since the previous figures, in seconds. */
  readonly delay: number
  /** Used bytes of the heap of the loop's thread. */
  readonly heap: number
}
