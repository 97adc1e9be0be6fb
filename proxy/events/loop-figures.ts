/** What one event loop reports about itself. */
export interface LoopFigures {
  /** Seconds since its start in which it worked. */
  readonly active: number
  /** Seconds since its start in which it waited for something to do. */
  readonly idle: number
  /** Seconds that something had to wait for its turn, at the worst since the figures before. */
  readonly delay: number
  /** Bytes in use on the heap of the loop's thread. */
  readonly heap: number
}
