/** The facts about a reply in events. */
import type { ReplyCause, ReplyOrigin } from './closed-sets.ts'

/** A reply without its text. */
export interface ReplyFacts {
  /** 200 to 599, or 0 for a line that is not a reply. */
  readonly code: number
  /** RFC 3463 status, such as `4.3.2`; absent if missing, malformed or of another class than the code. */
  readonly enhancedCode?: string
  readonly cause: ReplyCause
  readonly origin: ReplyOrigin
  /** The message ids in AhaSend's final 250. */
  readonly ids?: readonly string[]
}
