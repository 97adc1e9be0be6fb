/** The output of the demo: a line per second, and a summary at the end. */
import type { Summary } from '../simulator/ledger.ts'
import type { Tally } from './mail.ts'
import { quantile, type Sample, sum, sumBy } from './metrics.ts'

const REPLIES = 'smtp_proxy_replies_total'
const TRANSACTIONS = 'smtp_proxy_transactions_total'
const DURATION = 'smtp_proxy_command_duration_seconds'
const FINAL = { smtp_command: 'END-OF-MESSAGE' }

function number(value: number): string {
  return value.toLocaleString('en')
}

function list(counts: ReadonlyMap<string, number>, none = 'none'): string {
  return [...counts].map(([name, count]) => `${name} × ${number(count)}`).join(', ') || none
}

/** The number of messages that have ended, with any outcome. */
export function messages(samples: readonly Sample[]): number {
  return sum(samples, TRANSACTIONS)
}

function acceptedShare(samples: readonly Sample[]): string {
  const all = messages(samples)
  const accepted = sum(samples, TRANSACTIONS, { smtp_transaction_outcome: 'accepted' })
  return all === 0 ? '-' : `${((100 * accepted) / all).toFixed(1)} %`
}

function failures(samples: readonly Sample[]): ReadonlyMap<string, number> {
  return new Map([...sumBy(samples, REPLIES, 'smtp_reply_code')].filter(([code]) => code >= '400' || code === '0'))
}

/** One line of progress. `before` is the previous scrape, one second ago. */
export function line(seconds: number, samples: readonly Sample[], before: readonly Sample[]): string {
  const rate = `${number(messages(samples) - messages(before))} messages/s`
  const active = `${number(sum(samples, 'smtp_proxy_session_active'))} sessions`
  const share = `${acceptedShare(samples)} accepted`
  return [
    `${seconds} s`.padStart(6),
    rate.padStart(15),
    active.padStart(12),
    share.padStart(17),
    list(failures(samples)),
  ].join('  ')
}

/** The summary. */
export function report(samples: readonly Sample[], tally: Tally, ledger: Summary): string {
  const outcomes = sumBy(samples, TRANSACTIONS, 'smtp_transaction_outcome')
  const causes = sumBy(samples, REPLIES, 'smtp_reply_cause', { smtp_reply_code: '421' })
  const rows: readonly (readonly [string, string])[] = [
    ['messages', `${number(messages(samples))} (${list(outcomes)})`],
    [
      'AhaSend accepted',
      `${number(ledger.messages.accepted)}, and the apps received ${number(tally.accepted)} acceptances`,
    ],
    ['failures in apps', list(tally.failed)],
    ['421 by cause', list(causes)],
    ['final reply', `p50 ${milliseconds(samples, 0.5)}, p99 ${milliseconds(samples, 0.99)}`],
    ['dials', list(sumBy(samples, 'smtp_proxy_upstream_dials_total', 'error_type')).replace(/^ ×/, 'successful ×')],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const table = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
  return `${table}\n\nReply codes by command\n${codesByCommand(samples)}\n`
}

function milliseconds(samples: readonly Sample[], q: number): string {
  const seconds = quantile(samples, DURATION, q, FINAL)
  return seconds === undefined ? 'unknown' : `${(seconds * 1000).toFixed(1)} ms`
}

function cell(count: number | undefined): string {
  return (count === undefined ? '·' : number(count)).padStart(7)
}

function codesByCommand(samples: readonly Sample[]): string {
  const commands = [...sumBy(samples, REPLIES, 'smtp_command').keys()]
  const codes = [...sumBy(samples, REPLIES, 'smtp_reply_code').keys()]
  const width = Math.max(0, ...commands.map((command) => command.length))
  const head = ['command'.padEnd(width), ...codes.map((code) => code.padStart(7))].join(' ')
  const rows = commands.map((command) => {
    const counts = sumBy(samples, REPLIES, 'smtp_reply_code', { smtp_command: command })
    return [command.padEnd(width), ...codes.map((code) => cell(counts.get(code)))].join(' ')
  })
  return [head, ...rows].join('\n')
}
