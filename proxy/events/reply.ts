/** What events say about a reply. */
import type { ReplyCause, ReplyOrigin } from './closed-sets.ts'

/** A reply without its text. */
export interface ReplyFacts {
  /** 200 to 599, or 0 for a line that is no reply. */
  readonly code: number
  /** RFC 3463 status, such as `4.3.2`; absent when missing, malformed or of another class than the code. */
  readonly enhancedCode?: string
  readonly cause: ReplyCause
  readonly origin: ReplyOrigin
  /** The message ids that AhaSend names in its final 250. */
  readonly ids?: readonly string[]
}
