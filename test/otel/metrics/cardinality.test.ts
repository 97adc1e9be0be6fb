/**
 * Hostile peers cannot create series. The first thousand sessions use every code at every command; after them, nothing that a
 * client or an upstream sends adds a series. Label values come from closed sets or the configuration, and series above the
 * limit of an instrument are added up in one. `SEED=... node --test test/otel/metrics/cardinality.test.ts` repeats a run.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { before, describe, test } from 'node:test'
import { MAX_SERIES } from '../../../otel/instruments/instruments.ts'
import { appTlsErrors, closeReasons, dialErrors } from '../../../otel/names/names.ts'
import { Dialogue } from '../../../proxy/dialogue/dialogue.ts'
import type { CloseReason, CommandName, ReplyCause, TransactionError } from '../../../proxy/events/closed-sets.ts'
import type { Dial } from '../../../proxy/events/dial.ts'
import type { Observer } from '../../../proxy/events/observer.ts'
import { ReplyReader } from '../../../proxy/smtp/reply.ts'
import { SecretText } from '../../support/hostile/secret-text.ts'
import { type HostileSession, HostileSessions, SYSTEMATIC, Tokens } from '../../support/hostile/sessions.ts'
import { unknownSeriesOn } from '../../support/telemetry/labels.ts'
import { openedBy, RecordedOutput } from '../../support/telemetry/recorded-output.ts'
import { scraped, seriesOf } from '../../support/telemetry/scrape.ts'
import { reply, SessionStory } from '../../support/telemetry/session-events.ts'
import { SeededRandom } from '../../support/traffic/seeded-random.ts'

const SESSIONS = 100_000
/** The number of sessions whose log lines and spans are searched, too. */
const RECORDED = 3000
const SERVERS = ['send.example']
const CLIENTS = ['billing']
const LISTENERS = ['smtp://127.0.0.1:2525']

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))

describe(`${SESSIONS} hostile sessions`, () => {
  const dice = new SeededRandom(seed)
  const noise = new SecretText(dice)
  const { metrics, page } = scraped({ servers: SERVERS, clients: CLIENTS, listeners: LISTENERS })
  const output = new RecordedOutput()
  let replies = 0
  let messages = 0
  const pages: string[] = []

  before(async () => {
    const sessions = new HostileSessions(dice, noise)
    for (let number = 0; number < SESSIONS; number += 1) {
      if (number % 10_000 === SYSTEMATIC) pages.push(await page())
      const observers = [...(number < RECORDED ? [output.telemetry] : []), metrics].map((telemetry) =>
        telemetry.open(openedBy(number, number % 2 === 0 ? 'other' : 'billing', SERVERS[0]!)),
      )
      play(sessions.session(number), dice, (event) => {
        if (event.type === 'exchange' || event.type === 'greeting') replies += 1
        if (event.type === 'tx-begin') messages += 1
        for (const observe of observers) observe(event)
      })
    }
    pages.push(await page())
  })

  test('add no series after the first thousand (PRV-06)', (context) => {
    const counts = pages.map((text) => seriesIn(text).length)
    context.diagnostic(`SEED=${seed}; series after 1000, 11,000, ... and ${SESSIONS} sessions: ${counts.join(' ')}`)
    assert.ok(counts[0]! > 2000, 'the first thousand visit every code')
    const first = new Set(seriesIn(pages[0]!))
    assert.deepEqual(
      seriesIn(pages.at(-1)!).filter((series) => !first.has(series)),
      [],
    )
  })

  test('create only label values from closed sets or the configuration', () => {
    assert.deepEqual(unknownSeriesOn(pages.at(-1)!, { servers: SERVERS, clients: CLIENTS, listeners: LISTENERS }), [])
  })

  test('are all counted, including those above the limit', () => {
    const sum = (name: string) => seriesOf(pages.at(-1)!, name).reduce((total, [, value]) => total + value, 0)
    assert.equal(sum('smtp_proxy_replies_total'), replies)
    assert.equal(sum('smtp_proxy_transactions_total'), messages)
    assert.equal(sum('smtp_proxy_session_duration_seconds_count'), SESSIONS)
    assert.equal(seriesOf(pages.at(-1)!, 'smtp_proxy_replies_total').length, MAX_SERIES + 1)
  })

  test('leave nothing that they sent in metrics, log lines and spans (PRV-13)', (context) => {
    const outputs = [pages.at(-1)!, output.lines, output.spans]
    context.diagnostic(`${outputs.map((text) => text.length).join(' + ')} characters searched`)
    assert.ok(output.lines.length > 1_000_000 && output.spans.length > 1_000_000)
    for (const text of outputs) assert.deepEqual(noise.foundIn(text), [])
  })

  test('would be detected if they left a word or a label value', () => {
    assert.equal(noise.foundIn(`${output.lines.slice(0, 1000)} ${noise.word(dice, 8, 8)}`).length, 1)
    const forged = `${pages[0]}smtp_proxy_replies_total{smtp_command="${noise.word(dice)}"} 1\n`
    assert.equal(unknownSeriesOn(forged, { servers: SERVERS, clients: CLIENTS, listeners: LISTENERS }).length, 1)
  })
})

test('1300 hostile sessions over sockets: no new series after the first thousand, no unknown label, no word in the log', async (context) => {
  const child = spawn(process.execPath, ['bench/hostile.ts', '--sessions', '1300'], { stdio: ['pipe', 'pipe', 'pipe'] })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  for (const line of out.trimEnd().split('\n')) context.diagnostic(line)
  if (child.exitCode === null) await once(child, 'exit')
  assert.equal(child.exitCode, 0, out + err)
})

/** Likely replies without a series at 0, as `COMMAND code cause`. `proxy` marks local replies. */
const LIKELY = `
  CONNECT 220 none          EHLO 250 none             HELO 250 none            STARTTLS 220 none proxy
  AUTH 504 none             AUTH 454 none             AUTH 421 idle_timeout
  MAIL 250 none             MAIL 451 internal_error   MAIL 530 none
  RCPT 250 none             RCPT 421 connection_limit RCPT 452 connection_limit
  RCPT 451 internal_error   RCPT 503 none             RCPT 550 none            RCPT 554 none
  DATA 354 none             DATA 503 none             DATA 554 none
  END-OF-MESSAGE 250 none   END-OF-MESSAGE 554 none
  RSET 250 none             NOOP 250 none             QUIT 221 none            VRFY 502 none
  OTHER 502 none            UNSOLICITED 421 shutting_down
  UNSOLICITED 421 idle_timeout proxy                  UNSOLICITED 421 draining proxy
`
  .split(/\s{2,}/)
  .filter(Boolean)
  .map((row) => row.split(' ') as [CommandName, string, ReplyCause, 'proxy'?])

test('the maximum number of names and upstreams does not overflow any counter', async () => {
  const clients = Array.from({ length: 100 }, (_, number) => `app-${number}`)
  const servers = ['send.ahasend.com', 'send-us.ahasend.com']
  const { metrics, page } = scraped({ servers, clients })
  for (const serverAddress of servers)
    for (const clientName of [...clients, 'other']) {
      const observe = new SessionStory({ clientName, serverAddress }).tell(metrics)
      const likely = new SessionStory()
      for (const [command, code, cause, origin = 'upstream'] of LIKELY)
        likely.exchange(command, reply(Number(code), { cause, origin }))
      for (const event of likely.events) observe(event)
    }
  const text = await page()
  assert.ok(seriesOf(text, 'smtp_proxy_replies_total').length > 202 * (25 + LIKELY.length) - 1)
  assert.doesNotMatch(text, /otel_metric_overflow/)
})

function seriesIn(page: string): string[] {
  return page
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.slice(0, line.lastIndexOf(' ')))
    .sort()
}

/** Plays a session, cut anywhere, to a dialogue of its own, and reports its events. */
function play(session: HostileSession, dice: SeededRandom, observe: Observer): void {
  const systematic = session.number < SYSTEMATIC
  let now = 0
  const later = () => {
    now += dice.chance(0.01) ? 60_000 : dice.below(50)
    return now
  }
  observe(dialOf(session.number))
  const dialogue = new Dialogue(observe)
  const reader = new ReplyReader()
  const tokens = new Tokens()
  dialogue.greeting({ bytes: Buffer.from('220 mail.example\r\n'), code: 220 }, 0, later())
  for (const unit of session.units) {
    for (const part of systematic ? [unit] : cut(unit, dice)) dialogue.client(part, later())
    for (const reply of tokens.push(unit)) reader.push(reply, (whole) => void dialogue.reply(whole, later()))
  }
  close(session.number, dialogue, later(), observe)
}

const SIDES = ['client', 'upstream', 'proxy'] as const
const LOSSES = ['upstream_lost', 'final_reply_timeout', 'drained', 'idle_timeout'] as const satisfies TransactionError[]

function close(number: number, dialogue: Dialogue, at: number, observe: Observer): void {
  const by = SIDES[number % SIDES.length]!
  dialogue.close(by, LOSSES[(number >> 1) % LOSSES.length]!, at)
  const reason: CloseReason = closeReasons[(number >> 1) % closeReasons.length]!
  const error = appTlsErrors[number % appTlsErrors.length]!
  if (reason === 'tls_failed') observe({ type: 'tls-failed', at, error, detail: 'ERR_SSL_UNEXPECTED_MESSAGE' })
  observe({ type: 'session-close', at, by, reason, transmit: number, receive: 1, messages: dialogue.messages })
}

function dialOf(number: number): Dial {
  const error = [undefined, ...dialErrors][(number >> 1) % (dialErrors.length + 1)]
  const phases = { resolve: 1, connect: 1, greeting: number % 70_000, starttls: 1, total: number % 70_000 }
  const base = { type: 'dial', at: 0, end: 5, serverAddress: SERVERS[0]!, serverPort: 587, phases } as const
  return { ...base, ...(error && { error }), resumed: error === undefined && number % 4 < 2 }
}

function cut(bytes: Buffer, dice: SeededRandom): Buffer[] {
  const at = dice.below(bytes.length + 1)
  return [bytes.subarray(0, at), bytes.subarray(at)].filter((part) => part.length > 0)
}
