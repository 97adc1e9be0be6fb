/** Every local reply, by name: all exports of the product's file that are replies. */
import * as exported from '../../../proxy/session/local-replies.ts'

type Exported = typeof exported

export type LocalReplyName = {
  [Name in keyof Exported]: Exported[Name] extends exported.LocalReply ? Name : never
}[keyof Exported]

export const LOCAL_REPLIES = Object.fromEntries(
  Object.entries(exported).filter(([, value]) => typeof value === 'object'),
) as Readonly<Record<LocalReplyName, exported.LocalReply>>
