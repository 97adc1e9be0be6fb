/** A few hundred mixed messages in about a hundred sessions, and sessions without messages. */
import { randomUUID } from 'node:crypto'
import type { CloseReason } from '../../../proxy/events/closed-sets.ts'
import { AUTH_PLAIN } from '../../simulator/client.ts'
import type { Simulator } from '../../simulator/simulator.ts'
import type { Book } from '../books/book.ts'
import { until } from '../waiting/until.ts'
import { App, CLIENTS, type Mail, STRANGER } from './mixed-mail.ts'
import { SeededRandom } from './seeded-random.ts'

/** Messages after which the session continues, and how often each is sent. */
const MAILS: readonly (readonly [times: number, mail: Mail])[] = [
  [150, { outcome: 'accepted' }],
  [20, { to: names(5), outcome: 'accepted' }],
  [2, { to: names(50), outcome: 'accepted' }],
  [2, { to: names(52), outcome: 'accepted' }],
  [20, { to: ['you', 'fault+553-at-rcpt', 'me'], outcome: 'accepted' }],
  [10, { to: ['fault+451-at-rcpt', 'you'], outcome: 'accepted' }],
  [10, { to: ['fault+553-at-rcpt'], outcome: 'permfail', error: '553' }],
  [5, { to: ['fault+451-at-rcpt', 'fault+553-at-rcpt'], outcome: 'permfail', error: '553' }],
  [5, { to: ['fault+553-at-rcpt', 'fault+451-at-rcpt'], outcome: 'tempfail', error: '451' }],
  [10, { from: 'fault+521-at-mail', outcome: 'permfail', error: '521' }],
  [10, { from: 'fault+556-at-mail', outcome: 'permfail', error: '556' }],
  [5, { from: 'fault+451-at-mail', outcome: 'tempfail', error: '451' }],
  [10, { to: ['fault+451-at-data'], outcome: 'tempfail', error: '451' }],
  [10, { to: ['fault+552-at-end-of-message'], outcome: 'permfail', error: '552' }],
  [10, { to: ['fault+451-at-end-of-message', 'you'], outcome: 'tempfail', error: '451' }],
  [5, { body: 'Subject: bare\r\n\r\nline\nfeeds\r\n', outcome: 'permfail', error: '552' }],
  [5, { body: '', outcome: 'accepted' }],
  [5, { between: ['MAIL', 'MAIL FROM:<again@example.com>'], outcome: 'accepted' }],
  [5, { between: ['NOOP', 'NOOP'], outcome: 'accepted' }],
  // BDAT is not offered: bytes after it and before the 502 could be its payload
  [5, { between: ['BDAT', 'BDAT 0 LAST'], outcome: 'accepted', patient: true }],
  [5, { between: ['OTHER', 'XCLIENT ADDR=192.0.2.1'], outcome: 'accepted' }],
]

/** Messages with which AhaSend ends the session. */
const LAST_MAILS: readonly (readonly [times: number, mail: Mail])[] = [
  [3, { from: 'fault+421-at-mail', outcome: 'tempfail', error: '421', closes: 'upstream_421' }],
  [3, { to: ['fault+421-at-rcpt'], outcome: 'tempfail', error: '421', closes: 'upstream_421' }],
  [3, { to: ['you', 'fault+421-at-data'], outcome: 'tempfail', error: '421', closes: 'upstream_421' }],
  [3, { to: ['fault+421-at-end-of-message'], outcome: 'tempfail', error: '421', closes: 'upstream_421' }],
  [2, { from: 'fault+close-at-mail', outcome: 'tempfail', error: 'upstream_lost', closes: 'upstream_closed' }],
  [2, { to: ['you', 'fault+close-at-rcpt'], outcome: 'tempfail', error: 'upstream_lost', closes: 'upstream_closed' }],
  [2, { to: ['fault+close-at-data'], outcome: 'tempfail', error: 'upstream_lost', closes: 'upstream_closed' }],
  [
    3,
    { to: ['fault+close-at-end-of-message'], outcome: 'in_doubt', error: 'upstream_lost', closes: 'upstream_closed' },
  ],
  [3, { to: ['fault+reset-at-end-of-message'], outcome: 'in_doubt', error: 'upstream_lost', closes: 'upstream_reset' }],
]

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, number) => `reader-${number}`)
}

/** Messages that an app does not finish, in various ways. */
const UNFINISHED: readonly ((app: App, simulator: Simulator) => Promise<void>)[] = [
  async (app) => {
    await app.ask('MAIL', 'MAIL FROM:<app@example.com>')
    await app.ask('RCPT', 'RCPT TO:<you@example.net>')
    await app.ask('RSET', 'RSET')
    app.ended({ outcome: 'aborted' }, undefined)
    await app.quit()
  },
  async (app) => {
    await app.ask('MAIL', 'MAIL FROM:<app@example.com>')
    app.ended({ outcome: 'aborted' }, undefined)
    await app.quit()
  },
  async (app) => {
    await app.ask('MAIL', 'MAIL FROM:<app@example.com>')
    await app.ask('RCPT', 'RCPT TO:<you@example.net>')
    app.ended({ outcome: 'aborted' }, undefined)
    await app.leave('client_closed')
  },
  async (app) => {
    const half = 'Subject: half\r\n\r\nof it\r\nand no'
    await beginBody(app)
    await app.peer.send(half)
    app.ended({ outcome: 'aborted' }, half)
    await app.leave('client_closed')
  },
  async (app) => {
    await beginBody(app)
    app.ended({ outcome: 'aborted' }, '')
    await app.leave('client_reset')
  },
  // ends its direction after the dot, and still reads
  async (app) => {
    await beginBody(app, 'app', 'fault+slow-500-at-end-of-message')
    await app.peer.send('Subject: last\r\n\r\nwords\r\n.\r\n')
    await app.peer.end()
    await app.read('END-OF-MESSAGE')
    app.ended({ outcome: 'accepted' }, 'Subject: last\r\n\r\nwords\r\n')
    app.book.repliesLost.add({ loss: 'after_fin' })
    await app.closed('client_closed')
  },
  // resets the connection before the final reply arrives
  async (app, { ledger }) => {
    const sender = `gone-${randomUUID()}`
    await beginBody(app, sender, 'fault+slow-1500-at-end-of-message')
    await app.peer.send('Subject: gone\r\n\r\n.\r\n')
    const received = () => ledger.messages.some((message) => message.sender === `${sender}@example.com`)
    await until(`AhaSend has received the message of ${sender}`, received)
    app.ended({ outcome: 'accepted' }, 'Subject: gone\r\n\r\n')
    app.book.replies.add({ command: 'END-OF-MESSAGE', code: 250, origin: 'upstream', client: app.client })
    app.book.repliesLost.add({ loss: 'undelivered' })
    await app.leave('client_reset')
  },
  // half of the final reply reaches the proxy, and none of it the app
  async (app) => {
    await app.mail({ to: ['fault+cut-at-end-of-message'], outcome: 'in_doubt', error: 'upstream_lost' }, false)
    app.book.repliesLost.add({ loss: 'incomplete' })
    await app.closed('upstream_closed')
  },
]

async function beginBody(app: App, from = 'app', to = 'you'): Promise<void> {
  await app.ask('MAIL', `MAIL FROM:<${from}@example.com>`)
  await app.ask('RCPT', `RCPT TO:<${to}@example.net>`)
  await app.ask('DATA', 'DATA')
}

/** Sessions without a message, played one after the other, each with its fault. */
const WITHOUT_MAIL: readonly (readonly [fault: string | undefined, (port: number, book: Book) => Promise<void>])[] = [
  ['load-shedding', (port, book) => refused(port, book, 'upstream_421')],
  ['421-at-greeting', (port, book) => refused(port, book, 'upstream_421')],
  ['close-at-greeting', (port, book) => refused(port, book, 'dial_failed')],
  ['454-at-starttls', (port, book) => refused(port, book, 'dial_failed')],
  [undefined, (port, book) => refused(port, book, 'not_allowed', STRANGER)],
  [
    '554-at-greeting',
    async (port, book) => {
      const app = await greeted(port, book)
      await app.quit()
    },
  ],
  [
    '421-at-ehlo',
    async (port, book) => {
      const app = await greeted(port, book)
      await app.ask('EHLO', 'EHLO app.example')
      await app.closed('upstream_421')
    },
  ],
  [
    undefined,
    async (port, book) => {
      const app = await greeted(port, book)
      await app.ask('OTHER', 'GET / HTTP/1.1')
      await app.closed('error')
    },
  ],
  [
    '500-at-auth',
    async (port, book) => {
      const app = await greeted(port, book)
      await app.ask('EHLO', 'EHLO app.example')
      await app.ask('AUTH', AUTH_PLAIN)
      await app.ask('AUTH', 'AUTH PLAIN')
      await app.ask('AUTH', AUTH_PLAIN.replace('AUTH PLAIN ', ''))
      await app.ask('VRFY', 'VRFY somebody')
      await app.ask('OTHER', 'XYZZY')
      await app.quit()
    },
  ],
]

async function greeted(port: number, book: Book): Promise<App> {
  const app = await App.connect(port, '127.0.0.2', book)
  await app.read('CONNECT')
  return app
}

async function refused(port: number, book: Book, reason: CloseReason, from = '127.0.0.3'): Promise<void> {
  const app = await App.connect(port, from, book)
  await app.read('CONNECT')
  await app.closed(reason)
}

/** Short, but long enough for a session to send its message on a busy machine. */
const IDLE_MS = 3000

/** A session that AhaSend closes after its idle limit. Resolves when the app has sent its message. */
async function idleSession(port: number, simulator: Simulator, book: Book): Promise<{ readonly end: Promise<void> }> {
  simulator.faults.set(`idle-${IDLE_MS}`, { times: 1 })
  const app = await App.loggedIn(port, '127.0.0.2', book)
  await app.mail({ outcome: 'accepted' }, true)
  const end = async () => {
    await app.read('UNSOLICITED')
    await app.closed('upstream_421')
  }
  return { end: end() }
}

/** One session: the app's address, its messages, and how the session ends when AhaSend does not end it. */
interface Session {
  readonly from: string
  readonly mails: readonly (readonly [Mail, pipelined: boolean])[]
  readonly end: (app: App, simulator: Simulator) => Promise<void>
}

const ENDS: readonly Session['end'][] = [
  (app) => app.quit(),
  (app) => app.quit(),
  (app) => app.leave('client_closed'),
  (app) => app.leave('client_reset'),
]

/**
 * Distributes the messages to sessions. Each session begins with an accepted message: others are logged at a limited
 * rate.
 */
function sessionsOf(random: SeededRandom): Session[] {
  const mails = shuffled(repeated(MAILS), random)
  const ends = [
    ...repeated(LAST_MAILS).map((mail): Session['end'] => async (app) => {
      await app.mail(mail, false)
      await app.closed(mail.closes ?? 'error')
    }),
    ...UNFINISHED,
    ...UNFINISHED,
  ]
  const sessions: Session[] = []
  while (mails.length > 0 || ends.length > 0) {
    const some = [{ outcome: 'accepted' } as const, ...mails.splice(0, random.below(7))]
    sessions.push({
      from: random.one(Object.keys(CLIENTS)),
      mails: some.map((mail) => [sized(mail, random), random.chance(0.5)]),
      end: ends.pop() ?? random.one(ENDS),
    })
  }
  return sessions
}

/** Adds a body. Most bodies are small. */
function sized(mail: Mail, random: SeededRandom): Mail {
  if (mail.body !== undefined) return mail
  const lines = random.chance(0.1) ? random.below(4000) : random.below(40)
  return { ...mail, body: `Subject: mixed\r\n\r\n${'A line, neither long nor short.\r\n..\r\n'.repeat(lines)}` }
}

function repeated<T>(list: readonly (readonly [times: number, item: T])[]): T[] {
  return list.flatMap(([times, item]) => Array.from({ length: times }, () => item))
}

function shuffled<T>(list: readonly T[], random: SeededRandom): T[] {
  return list
    .map((item) => [random.below(2 ** 31), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
}

async function play({ from, mails, end }: Session, port: number, simulator: Simulator, book: Book): Promise<void> {
  const app = await App.loggedIn(port, from, book)
  for (const [mail, pipelined] of mails) await app.mail(mail, pipelined)
  await end(app, simulator)
}

/** The number of concurrent sessions. */
const AT_ONCE = 8

/**
 * Sends all messages through the proxy at `port` to the simulator, and keeps the apps' book. Resolves when the last app
 * has closed its connection.
 */
export async function sendMixedMail(port: number, simulator: Simulator, book: Book, seed: number): Promise<void> {
  const idle = await idleSession(port, simulator, book)
  for (const [fault, session] of WITHOUT_MAIL) {
    if (fault) simulator.faults.set(fault, { times: 1 })
    await session(port, book)
  }
  const waiting = sessionsOf(new SeededRandom(seed))
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await play(next, port, simulator, book)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  await idle.end
}
