/**
 * The books of several replicas: the replies that the apps got, the messages that AhaSend has, and what the replicas reported.
 * Each function returns sentences about what does not agree.
 */
import type { MessageRecord } from '../simulator/ledger.ts'
import type { Message, Try } from './apps.ts'
import { add, type Life } from './replica.ts'

/** All books of a run. */
export interface Books {
  readonly messages: readonly Message[]
  /** Everything that reached AhaSend up to its final dot. */
  readonly ledger: readonly MessageRecord[]
  readonly lives: readonly Life[]
  /** When replicas were killed, in milliseconds since 1970. */
  readonly kills: readonly number[]
}

/** Everything that does not agree. */
export function mistakesIn(books: Books): string[] {
  return [...lost(books), ...duplicated(books), ...miscounted(books), ...unreported(books)]
}

/** Messages that no try got accepted, and tries that were accepted without AhaSend having them. */
export function lost({ messages, ledger }: Books): string[] {
  const recorded = accepted(ledger)
  return [
    ...messages
      .filter(({ tries }) => tries.at(-1)?.result !== 'accepted')
      .map(({ tries }) => `${tries.at(-1)?.recipient} was given up: ${tries.at(-1)?.reason}`),
    ...triesOf(messages, 'accepted')
      .filter(({ recipient }) => !recorded.has(recipient))
      .map(({ recipient }) => `${recipient} was accepted and AhaSend does not have it`),
  ]
}

/**
 * Tries that AhaSend has twice, and tries that AhaSend has although the app got a refusal. If a try got no reply, its
 * message is in doubt: the app knows that a further try may be a duplicate.
 */
export function duplicated({ messages, ledger }: Books): string[] {
  const times = Map.groupBy(ledger, ({ recipients: [recipient = ''] }) => recipient)
  const twice = [...times].filter(([, { length }]) => length > 1)
  const refused = triesOf(messages, 'refused').filter(({ recipient }) => times.has(recipient))
  return [
    ...twice.map(([recipient, { length }]) => `AhaSend has ${recipient} ${length} times`),
    ...refused.map(({ recipient, reason }) => `AhaSend has ${recipient}, and the app got ${reason}`),
  ]
}

/**
 * Messages that replicas counted as accepted, by app, against the ledger. A killed replica reports by its log alone, and not
 * what it relayed right before its end.
 */
export function miscounted(books: Books): string[] {
  const inLedger = acceptedByClient(books)
  const counted: Record<string, number> = {}
  for (const { killed, log, metrics } of books.lives)
    for (const [key, count] of Object.entries(killed ? log : metrics)) add(counted, key, count)
  return Object.entries(inLedger).flatMap(([key, count]) => {
    const missing = count - (counted[key] ?? 0)
    if (missing >= 0 && missing <= unlogged(books)) return []
    return [`${key}: ${count} in the ledger, ${counted[key]} in the metrics`]
  })
}

function acceptedByClient({ messages, ledger }: Books): Record<string, number> {
  const clients = new Map(messages.flatMap(({ tries }) => tries).map(({ recipient, client }) => [recipient, client]))
  const sums: Record<string, number> = {}
  for (const recipient of accepted(ledger)) add(sums, `accepted ${clients.get(recipient)}`, 1)
  return sums
}

/** How many acceptances killed replicas had no time to log. */
function unlogged(books: Books): number {
  const relayed = triesOf(books.messages, 'accepted').filter(({ at }) => isNear(books, at, -100, 100))
  return inDoubtByKill(books).length + relayed.length
}

/** Messages in doubt that no replica reported, and metrics and logs that differ. */
export function unreported(books: Books): string[] {
  const alive = books.lives.filter(({ killed }) => !killed)
  const differing = alive.filter(({ metrics, log }) => shown(metrics) !== shown(log))
  const reported = sumOf(alive, 'in_doubt')
  const expected = inDoubt(books).length - inDoubtByKill(books).length
  return [
    ...differing.map(({ name, metrics, log }) => `${name}: ${shown(metrics)} in metrics, ${shown(log)} in logs`),
    ...(reported === expected ? [] : [`${expected} messages are in doubt, and the replicas reported ${reported}`]),
  ]
}

/** Tries in doubt because their replica was killed: no one is left who could report them. */
export function inDoubtByKill(books: Books): Try[] {
  return inDoubt(books).filter(({ at }) => isNear(books, at, 0, 1000))
}

/** Whether a time lies in this span around a kill, in milliseconds. */
function isNear({ kills }: Books, at: number, from: number, to: number): boolean {
  return kills.some((kill) => at >= kill + from && at <= kill + to)
}

/** Tries that AhaSend received in full, and whose app got no reply. */
export function inDoubt({ messages, ledger }: Pick<Books, 'messages' | 'ledger'>): Try[] {
  const received = new Set(ledger.map(({ recipients: [recipient = ''] }) => recipient))
  return triesOf(messages, 'no reply').filter(({ recipient }) => received.has(recipient))
}

/** The tries with this result. */
export function triesOf(messages: readonly Message[], result: Try['result']): Try[] {
  return messages.flatMap(({ tries }) => tries.filter((one) => one.result === result))
}

/** The messages with this outcome in the metrics of these replicas. */
export function sumOf(lives: readonly Life[], outcome: string): number {
  const all = lives.flatMap(({ metrics }) => Object.entries(metrics))
  return all.reduce((sum, [key, count]) => (key.startsWith(`${outcome} `) ? sum + count : sum), 0)
}

function accepted(ledger: readonly MessageRecord[]): Set<string> {
  return new Set(ledger.filter(({ code }) => code === 250).map(({ recipients: [recipient = ''] }) => recipient))
}

function shown(sums: Readonly<Record<string, number>>): string {
  return JSON.stringify(Object.entries(sums).sort(([one], [other]) => (one < other ? -1 : 1)))
}
