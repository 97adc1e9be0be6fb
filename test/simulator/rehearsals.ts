/** The incidents that a team can rehearse with one click. Each is a set of faults. */
import type { CommandName } from '../../proxy/events/closed-sets.ts'
import type { ActiveFaults, FaultOptions } from './active-faults.ts'
import { loadShedding } from './smtp/replies.ts'

/** One button of the control page. */
export interface Rehearsal {
  /** `POST /rehearsals/<id>` starts it. */
  readonly id: string
  readonly label: string
  /** What AhaSend seems to do from now on. */
  readonly meaning: string
  /** What apps experience. */
  readonly apps: string
  /** Which reply shows the incident, for example in the log of an app; absent if no reply does. */
  readonly reply?: ShownReply
  /** Anything else that helps, for example why no alert fires. */
  readonly note?: string
  /** The faults that it sets. It clears all others. */
  readonly faults: Readonly<Record<string, FaultOptions>>
}

/** A reply that apps receive through the proxy. */
export interface ShownReply {
  readonly command: CommandName
  readonly code: number
}

const HOSTNAME = 'rehearsal.ahasend.example'

/** The rehearsal that ends all others. */
export const ALL_WELL = 'all-well'

export const REHEARSALS: readonly Rehearsal[] = [
  {
    id: ALL_WELL,
    label: 'Back to normal',
    meaning: 'AhaSend accepts every message.',
    apps: 'All messages are accepted.',
    faults: {},
  },
  {
    id: 'account-disabled',
    label: '521 account disabled',
    meaning: 'AhaSend refuses every message with 521: the account is suspended, paused or out of credits.',
    apps: 'Every message fails at MAIL FROM. 521 is permanent, so apps do not send the message again.',
    reply: { command: 'MAIL', code: 521 },
    faults: { 'account-disabled': {} },
  },
  {
    id: 'one-521',
    label: 'A single 521',
    meaning: 'AhaSend refuses only the next message with 521.',
    apps: 'One message fails, at MAIL FROM. All others are accepted.',
    reply: { command: 'MAIL', code: 521 },
    note: 'The incident ends automatically. One 521 is enough for the alert.',
    faults: { 'account-disabled': { times: 1 } },
  },
  {
    id: 'load-shedding',
    label: '421 load shedding',
    meaning: 'AhaSend refuses 90% of new connections with 421, and half of the messages on open connections.',
    apps: 'Most connections get 421 as the greeting. Apps that retry send their mail late.',
    reply: { command: 'CONNECT', code: 421 },
    faults: {
      'load-shedding': { probability: 0.9 },
      '421-at-mail': { probability: 0.5, text: loadShedding(HOSTNAME) },
    },
  },
  {
    id: 'internal-error',
    label: '421 internal errors',
    meaning: 'AhaSend replies to half of the messages with 421 4.3.0 and closes the connection.',
    apps: 'Half of the messages get 421 at MAIL FROM, and the connection closes. Apps must send them again.',
    reply: { command: 'MAIL', code: 421 },
    faults: { '421-at-mail': { probability: 0.5 } },
  },
  {
    id: 'temporary-errors',
    label: '451 temporary errors',
    meaning: 'AhaSend refuses half of the messages temporarily with 451.',
    apps: 'Half of the messages get 451 after they were sent in full. Apps must send them again.',
    reply: { command: 'END-OF-MESSAGE', code: 451 },
    faults: { '451-at-end-of-message': { probability: 0.5 } },
  },
  {
    id: 'unreachable',
    label: 'Unreachable',
    meaning: 'AhaSend resets every new connection before the greeting.',
    apps: 'New connections get 421 from the proxy in place of the greeting. Open connections work until they close.',
    reply: { command: 'CONNECT', code: 421 },
    faults: { 'wire-reset-0': {} },
  },
  {
    id: 'wrong-credentials',
    label: '535 wrong credentials',
    meaning: 'AhaSend refuses every login with 535, as after a password change.',
    apps: 'New connections get 535 at AUTH. Connections that have already logged in work until they close.',
    reply: { command: 'AUTH', code: 535 },
    faults: { '535-at-auth': {} },
  },
  {
    id: 'close-after-the-dot',
    label: 'Close after the dot',
    meaning:
      'For 25% of messages, AhaSend closes the connection instead of sending the final reply. Their outcome is unknown.',
    apps: 'The connection closes after the message was sent. Apps that send it again may create a duplicate.',
    faults: { 'close-at-end-of-message': { probability: 0.25 } },
  },
  {
    id: 'slow-replies',
    label: 'Slow replies',
    meaning: 'AhaSend takes 12 seconds to reply to the end of each message.',
    apps: 'Each message takes 12 seconds. Apps with a shorter timeout give up and send it again: a duplicate.',
    faults: { 'slow-12000-at-end-of-message': {} },
  },
  {
    id: 'domain-not-configured',
    label: '556 domain not configured',
    meaning: 'AhaSend refuses half of the messages with 556: their sending domain is not configured.',
    apps: 'Half of the messages fail at MAIL FROM. 556 is permanent, so apps do not send them again.',
    reply: { command: 'MAIL', code: 556 },
    faults: { '556-at-mail': { probability: 0.5 } },
  },
  {
    id: 'message-format',
    label: '552 message format',
    meaning: 'AhaSend refuses half of the messages with 552 because of their format.',
    apps: 'Half of the messages fail after they were sent in full. 552 is permanent.',
    reply: { command: 'END-OF-MESSAGE', code: 552 },
    faults: { '552-at-end-of-message': { probability: 0.5 } },
  },
  {
    id: 'recipients-rejected',
    label: '553 recipients rejected',
    meaning: 'AhaSend refuses half of the recipients with 553.',
    apps: 'Half of the recipients get 553 at RCPT TO. A message fails if all its recipients are refused.',
    reply: { command: 'RCPT', code: 553 },
    faults: { '553-at-rcpt': { probability: 0.5 } },
  },
  {
    id: 'idle-disconnects',
    label: '421 idle disconnects',
    meaning:
      'AhaSend closes new connections with 421 after 2 seconds without data instead of 60. This is normal behavior.',
    apps: 'Connections that wait in a pool get 421 and close. No message fails.',
    reply: { command: 'UNSOLICITED', code: 421 },
    note: 'AhaSendIdleDisconnects (info) fires for an app that rarely sends, such as reports, even without this incident.',
    faults: { 'idle-2000': {} },
  },
]

/** Sets the faults of a rehearsal and clears all others. Returns false if there is no such rehearsal. */
export function rehearse(id: string, faults: ActiveFaults): boolean {
  const rehearsal = REHEARSALS.find((candidate) => candidate.id === id)
  if (!rehearsal) return false
  faults.clear()
  for (const [name, options] of Object.entries(rehearsal.faults)) faults.set(name, options)
  return true
}
