/** The incidents that a team can rehearse with one click: a closed list, each a set of faults. */

import type { ActiveFaults, FaultOptions } from './active-faults.ts'
import { loadShedding } from './smtp/replies.ts'

/** One button of the control page. */
export interface Rehearsal {
  /** Its part of the address: `POST /rehearsals/<id>`. */
  readonly id: string
  readonly label: string
  /** What AhaSend seems to do from then on. */
  readonly meaning: string
  /** What is put in force; everything else ends. */
  readonly faults: Readonly<Record<string, FaultOptions>>
}

const HOSTNAME = 'rehearsal.ahasend.example'

export const REHEARSALS: readonly Rehearsal[] = [
  { id: 'all-well', label: 'All well', meaning: 'Every mail is accepted.', faults: {} },
  {
    id: 'load-shedding',
    label: '421 load shedding',
    meaning: 'Nine of ten new connections are refused with 421, and half of the mail on those that are open.',
    faults: {
      'load-shedding': { probability: 0.9 },
      '421-at-mail': { probability: 0.5, text: loadShedding(HOSTNAME) },
    },
  },
  {
    id: 'internal-error',
    label: '421 internal errors',
    meaning: 'Half of all mail gets 421 4.3.0 and a closed connection.',
    faults: { '421-at-mail': { probability: 0.5 } },
  },
  {
    id: 'account-disabled',
    label: '521 account disabled',
    meaning: 'No mail is taken, as for an account that is suspended, paused or out of credits.',
    faults: { 'account-disabled': {} },
  },
  {
    id: 'one-521',
    label: 'A single 521',
    meaning: 'The next mail is answered with 521, and no other.',
    faults: { 'account-disabled': { times: 1 } },
  },
  {
    id: 'idle-disconnects',
    label: '421 idle disconnects',
    meaning: 'New connections are closed with 421 after 2 quiet seconds instead of 60. Nothing is wrong with that.',
    faults: { 'idle-2000': {} },
  },
  {
    id: 'slow-replies',
    label: 'Slow replies',
    meaning: 'The answer to the end of each mail takes 12 seconds.',
    faults: { 'slow-12000-at-end-of-message': {} },
  },
  {
    id: 'close-after-the-dot',
    label: 'Close after the dot',
    meaning: 'Of one mail in four nobody learns whether it was accepted: the connection closes in place of the answer.',
    faults: { 'close-at-end-of-message': { probability: 0.25 } },
  },
  {
    id: 'wrong-credentials',
    label: '535 wrong credentials',
    meaning: 'Every login is refused, as after a password was changed.',
    faults: { '535-at-auth': {} },
  },
  {
    id: 'domain-not-configured',
    label: '556 domain not configured',
    meaning: 'Half of the mail is refused, as for a sending domain without set-up.',
    faults: { '556-at-mail': { probability: 0.5 } },
  },
  {
    id: 'message-format',
    label: '552 message format',
    meaning: 'Half of the mail is refused for its format.',
    faults: { '552-at-end-of-message': { probability: 0.5 } },
  },
  {
    id: 'recipients-rejected',
    label: '553 recipients rejected',
    meaning: 'Half of the recipients are refused.',
    faults: { '553-at-rcpt': { probability: 0.5 } },
  },
  {
    id: 'temporary-errors',
    label: '451 temporary errors',
    meaning: 'Half of the mail is put off with 451.',
    faults: { '451-at-end-of-message': { probability: 0.5 } },
  },
  {
    id: 'unreachable',
    label: 'Unreachable',
    meaning: 'Every new connection is reset before the greeting.',
    faults: { 'wire-reset-0': {} },
  },
]

/** Puts a rehearsal's faults in force and ends all others. Returns false when there is no such rehearsal. */
export function rehearse(id: string, faults: ActiveFaults): boolean {
  const rehearsal = REHEARSALS.find((candidate) => candidate.id === id)
  if (!rehearsal) return false
  faults.clear()
  for (const [name, options] of Object.entries(rehearsal.faults)) faults.set(name, options)
  return true
}
