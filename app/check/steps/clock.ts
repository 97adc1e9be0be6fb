/** Compares the clock of this machine with what servers say. */
import { HELP } from './help.ts'
import { failed, note, type Outcome, ok, type Step } from './step.ts'

/** What other steps found out about the time. They run first and add to it. */
export interface TimeEvidence {
  /** How far this clock is ahead of a server's, in milliseconds, by the server's name. */
  readonly skews: Map<string, number>
  /** Servers whose certificate is not valid at the time of this clock, with the name of the error. */
  readonly certificates: Map<string, 'CERT_NOT_YET_VALID' | 'CERT_HAS_EXPIRED'>
  /** The servers whose certificate is valid at the time of this clock. */
  readonly valid: Set<string>
}

export function noEvidence(): TimeEvidence {
  return { skews: new Map(), certificates: new Map(), valid: new Set() }
}

/** Below it, a skew hardly matters: TLS tolerates it, and traces of several machines still fit together. Arbitrary. */
const MATTERS_MS = 60_000

const SYNCHRONIZE = 'synchronize the clock of this machine (NTP: chronyc tracking, timedatectl).'

export function clockStep(evidence: TimeEvidence, now: () => number): Step {
  return { group: 'Machine', title: 'clock', run: () => judge(evidence, new Date(now()).toISOString()) }
}

function judge({ skews, certificates, valid }: TimeEvidence, now: string): Outcome {
  const wrong = [...skews].filter(([, skewMs]) => Math.abs(skewMs) >= MATTERS_MS)
  const [first] = wrong
  if (first) {
    const text = `the clock of this machine (${now}) is ${describe(first[1])} the clock of ${first[0]}`
    return failed(text, {
      next: `Compare both with another clock. If this one is wrong, ${SYNCHRONIZE}`,
      see: HELP.other,
    })
  }
  const [suspect] = certificates
  if (suspect && valid.size === 0) {
    const isExpired = suspect[1] === 'CERT_HAS_EXPIRED'
    const relation = isExpired ? 'has expired' : 'is not valid yet'
    const text = `the clock may be wrong: at its time, ${now}, the certificate of ${suspect[0]} ${relation}`
    return failed(text, { next: `Compare it with another clock. If it is wrong, ${SYNCHRONIZE}`, see: HELP.other })
  }
  if (skews.size > 0) return ok('it agrees with the clock of the OTLP receiver')
  return valid.size > 0
    ? ok(`at its time, ${now}, the certificates of the upstreams are valid`)
    : note('nothing to compare it with')
}

function describe(skewMs: number): string {
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  return `${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'}`
}
