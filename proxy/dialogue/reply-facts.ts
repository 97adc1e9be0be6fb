import type { CommandName } from '../events/closed-sets.ts'
import type { ReplyFacts } from '../events/reply.ts'
import { enhancedCodeOf, lastLineText, messageIdsOf, type Reply } from '../smtp/reply.ts'
import { causeOf, isFinal } from './reply-cause.ts'

/**
 * What may be reported about an upstream's reply to `command`. The text of the reply is read here and goes no further.
 * `quietMs` is the time without bytes before the command was sent or the unsolicited reply came.
 */
export function factsOf(reply: Reply, command: CommandName, quietMs: number): ReplyFacts {
  const text = lastLineText(reply.bytes)
  const enhancedCode = enhancedCodeOf(reply.code, text)
  const cause = causeOf(reply.code, { command, quietMs, text, enhancedCode })
  const ids = isFinal(command) && reply.code === 250 ? messageIdsOf(text) : undefined
  return { code: reply.code, cause, origin: 'upstream', ...(enhancedCode && { enhancedCode }), ...(ids && { ids }) }
}
