import type { CommandName } from '../../../proxy/events/closed-sets.ts'
import type { ReplyFacts } from '../../../proxy/events/reply.ts'

/** The labels of the upstream and the client name that `SessionStory` uses by default. */
export const PEER = 'server_address="send.example",smtp_client_name="billing"'

/** The labels of a series of smtp_proxy_replies_total, as on the scrape page. */
export function replyLabels(command: CommandName, facts: ReplyFacts, peer = PEER): string {
  return (
    `{smtp_command="${command}",smtp_reply_code="${facts.code}",smtp_reply_cause="${facts.cause}",` +
    `smtp_reply_origin="${facts.origin}",${peer}}`
  )
}
