/** The figures of a run, for people. */
import { type Books, inDoubt, inDoubtByKill, mistakesIn, sumOf, triesOf } from './books.ts'

/** What happened to the messages, and everything that does not agree. */
export function reportOf(books: Books): string {
  const { messages, ledger, lives } = books
  const kept = ledger.filter(({ code }) => code === 250).length
  const [doubted, killed] = [inDoubt(books).length, inDoubtByKill(books).length]
  const mistakes = mistakesIn(books)
  return [
    `${messages.length} messages from apps, all accepted: ${messages.every(({ tries }) => tries.at(-1)?.result === 'accepted')}`,
    `${ledger.length} messages reached AhaSend, of which it accepted ${kept}; the replicas counted ${sumOf(lives, 'accepted')}`,
    `${doubted} in doubt: ${sumOf(lives, 'in_doubt')} reported by a replica, ${killed} at the kill`,
    `${triesOf(messages, 'refused').length} tries were refused: ${shown(triesOf(messages, 'refused'))}`,
    `${triesOf(messages, 'no reply').length} tries got no reply: ${shown(triesOf(messages, 'no reply'))}`,
    ...mistakes,
    `${mistakes.length} mistakes`,
  ].join('\n')
}

function shown(tries: readonly { readonly reason: string }[]): string {
  const counts = Map.groupBy(tries, ({ reason }) => reason)
  return [...counts].map(([reason, { length }]) => `${length} × ${reason}`).join(', ') || 'none'
}
