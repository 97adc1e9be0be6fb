/** Runs good and faulty collectors in one process. Prints their URLs by name as a line of JSON. Stores nothing. */
import { type Answers, startReceiver } from '../test/support/otlp/otlp-receiver.ts'

/** The collectors' answers, by the names that `bench/harmless.ts` prints. */
const BEHAVIOURS: Readonly<Record<string, Answers>> = {
  good: 'ok',
  'slow (2.5 s)': { afterMs: 2500 },
  'never answers': 'hang',
  'does not read': 'deaf',
  resets: 'reset',
  '400': 400,
  '429, later': { status: 429, retryAfter: '3600' },
  '429, at once': { status: 429, retryAfter: '0' },
  '503': 503,
  garbage: 'garbage',
  'no HTTP': 'babble',
  drips: 'drip',
  floods: 'flood',
}

if (import.meta.main) {
  const urls: Record<string, string> = {}
  for (const [name, answer] of Object.entries(BEHAVIOURS)) {
    urls[name] = (await startReceiver({ answer, keep: false })).url
  }
  console.log(JSON.stringify(urls))
}
