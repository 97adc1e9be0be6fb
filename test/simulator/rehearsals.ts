/** The incidents that a team can rehearse with one click. Each is a set of faults. */
import type { ActiveFaults, FaultOptions } from './active-faults.ts'
import { loadShedding } from './smtp/replies.ts'

/** One button of the control page. */
export interface Rehearsal {
  /** `POST /rehearsals/<id>` starts it. */
  readonly id: string
  readonly label: string
  /** What AhaSend seems to do from now on. */
  readonly meaning: string
  /** The faults that it sets. It clears all others. */
  readonly faults: Readonly<Record<string, FaultOptions>>
}

const HOSTNAME = 'rehearsal.ahasend.example'

export const REHEARSALS: readonly Rehearsal[] = [
  { id: 'all-well', label: 'No faults', meaning: 'AhaSend accepts every message.', faults: {} },
  {
    id: 'load-shedding',
    label: '421 load shedding',
    meaning: 'AhaSend refuses 90% of new connections with 421, and half of the messages on open connections.',
    faults: {
      'load-shedding': { probability: 0.9 },
      '421-at-mail': { probability: 0.5, text: loadShedding(HOSTNAME) },
    },
  },
  {
    id: 'internal-error',
    label: '421 internal errors',
    meaning: 'AhaSend replies to half of the messages with 421 4.3.0 and closes the connection.',
    faults: { '421-at-mail': { probability: 0.5 } },
  },
  {
    id: 'account-disabled',
    label: '521 account disabled',
    meaning: 'AhaSend refuses every message with 521: the account is suspended, paused or out of credits.',
    faults: { 'account-disabled': {} },
  },
  {
    id: 'one-521',
    label: 'A single 521',
    meaning: 'AhaSend refuses only the next message with 521.',
    faults: { 'account-disabled': { times: 1 } },
  },
  {
    id: 'idle-disconnects',
    label: '421 idle disconnects',
    meaning:
      'AhaSend closes new connections with 421 after 2 seconds without data instead of 60. This is normal behavior.',
    faults: { 'idle-2000': {} },
  },
  {
    id: 'slow-replies',
    label: 'Slow replies',
    meaning: 'AhaSend takes 12 seconds to reply to the end of each message.',
    faults: { 'slow-12000-at-end-of-message': {} },
  },
  {
    id: 'close-after-the-dot',
    label: 'Close after the dot',
    meaning:
      'For 25% of messages, AhaSend closes the connection instead of sending the final reply. Their outcome is unknown.',
    faults: { 'close-at-end-of-message': { probability: 0.25 } },
  },
  {
    id: 'wrong-credentials',
    label: '535 wrong credentials',
    meaning: 'AhaSend refuses every login with 535, as after a password change.',
    faults: { '535-at-auth': {} },
  },
  {
    id: 'domain-not-configured',
    label: '556 domain not configured',
    meaning: 'AhaSend refuses half of the messages with 556: their sending domain is not configured.',
    faults: { '556-at-mail': { probability: 0.5 } },
  },
  {
    id: 'message-format',
    label: '552 message format',
    meaning: 'AhaSend refuses half of the messages with 552 because of their format.',
    faults: { '552-at-end-of-message': { probability: 0.5 } },
  },
  {
    id: 'recipients-rejected',
    label: '553 recipients rejected',
    meaning: 'AhaSend refuses half of the recipients with 553.',
    faults: { '553-at-rcpt': { probability: 0.5 } },
  },
  {
    id: 'temporary-errors',
    label: '451 temporary errors',
    meaning: 'AhaSend refuses half of the messages temporarily with 451.',
    faults: { '451-at-end-of-message': { probability: 0.5 } },
  },
  {
    id: 'unreachable',
    label: 'Unreachable',
    meaning: 'AhaSend resets every new connection before the greeting.',
    faults: { 'wire-reset-0': {} },
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
