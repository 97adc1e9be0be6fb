/**
 * The books of a run: one book per source, with everything that the source counts. A book has a page per kind of count,
 * such as replies, and the page holds counts with labels. A source leaves out pages and labels that it does not know.
 * To compare two books, sum a page by the labels that both know.
 */
import { commands, metrics, spans as spanNames } from '../../../otel/names/names.ts'
import { parseMetrics, type Sample } from '../../demo/metrics.ts'
import type { LogRecord, MetricPoint, Plain, Span } from '../otlp/otlp-json.ts'

type Value = string | number | boolean | undefined

/** Counts of one kind of thing, with labels. */
export class Tally {
  readonly #entries: { readonly labels: Readonly<Record<string, string>>; readonly count: number }[] = []

  /** Adds a count. A label that is undefined counts as empty. */
  add(labels: Readonly<Record<string, Value>>, count = 1): void {
    const texts = Object.entries(labels).map(([label, value]) => [label, value === undefined ? '' : String(value)])
    this.#entries.push({ labels: Object.fromEntries(texts), count })
  }

  /** The sums by these labels, sorted and without zeros, of the counts that `only` accepts: `{ 'MAIL 250': 3 }`. */
  by(
    keys: readonly string[],
    only: (labels: Readonly<Record<string, string>>) => boolean = () => true,
  ): Record<string, number> {
    const sums = new Map<string, number>()
    for (const { labels, count } of this.#entries) {
      const key = keys.map((label) => labels[label] || '-').join(' ')
      if (only(labels)) sums.set(key, (sums.get(key) ?? 0) + count)
    }
    return Object.fromEntries([...sums].filter(([, sum]) => sum !== 0).sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

/** The pages of a book, with their labels and titles. */
const PAGES = {
  /** command, code, cause, origin, client */
  replies: 'replies',
  /** command: the commands that reached AhaSend, answered or not */
  commands: 'commands that reached AhaSend',
  /** loss */
  repliesLost: 'replies that did not reach the client',
  /** outcome, error, client */
  transactions: 'messages by outcome',
  /** outcome, command, code, cause, client: the reply that decided a message */
  decisions: 'deciding replies',
  /** verdict, client */
  recipients: 'recipients by verdict',
  /** outcome, client: messages whose body began */
  bodies: 'bodies',
  /** outcome, client */
  bytesOfBodies: 'bytes of bodies',
  /** reason, client */
  sessions: 'sessions by close reason',
  /** no label: messages whose MAIL was accepted */
  mails: 'messages that began',
  /** ready (yes when there was no error), error, resumed */
  dials: 'dials by error',
  /** direction */
  bytes: 'bytes relayed',
} as const

export type Page = keyof typeof PAGES

export type Book = Readonly<Record<Page, Tally>>

/** An empty book. */
export function newBook(): Book {
  return Object.fromEntries(Object.keys(PAGES).map((page) => [page, new Tally()])) as unknown as Book
}

/** The title of a page. */
export function titleOf(page: Page): string {
  return PAGES[page]
}

/** The series of each page on a scrape page, and the series' labels by the page's labels. */
const SERIES: readonly (readonly [Page, string, Readonly<Record<string, string>>])[] = [
  [
    'replies',
    metrics.replies.prometheus,
    {
      command: 'smtp_command',
      code: 'smtp_reply_code',
      cause: 'smtp_reply_cause',
      origin: 'smtp_reply_origin',
      client: 'smtp_client_name',
    },
  ],
  ['repliesLost', metrics.repliesLost.prometheus, { loss: 'smtp_reply_loss' }],
  [
    'transactions',
    metrics.transactions.prometheus,
    { outcome: 'smtp_transaction_outcome', error: 'error_type', client: 'smtp_client_name' },
  ],
  ['recipients', metrics.recipients.prometheus, { verdict: 'smtp_recipient_verdict', client: 'smtp_client_name' }],
  [
    'bodies',
    `${metrics.messageSize.prometheus}_count`,
    { outcome: 'smtp_transaction_outcome', client: 'smtp_client_name' },
  ],
  [
    'bytesOfBodies',
    `${metrics.messageSize.prometheus}_sum`,
    { outcome: 'smtp_transaction_outcome', client: 'smtp_client_name' },
  ],
  [
    'sessions',
    `${metrics.sessionDuration.prometheus}_count`,
    { reason: 'smtp_session_close_reason', client: 'smtp_client_name' },
  ],
  ['mails', `${metrics.sessionMessages.prometheus}_sum`, {}],
  ['dials', metrics.dials.prometheus, { error: 'error_type', resumed: 'tls_resumed' }],
  ['bytes', metrics.io.prometheus, { direction: 'network_io_direction' }],
]

/** The book of a scrape page. */
export function bookOfPage(page: string): Book {
  return bookOfSamples(parseMetrics(page))
}

/** The book of metrics over OTLP. The points are cumulative, in the order of their arrival; the last ones count. */
export function bookOfPoints(points: readonly MetricPoint[]): Book {
  return bookOfSamples(samplesOf(points))
}

/** The last points as samples of a scrape page, without buckets. */
export function samplesOf(points: readonly MetricPoint[]): readonly Sample[] {
  const last = new Map(points.map((point) => [`${point.name} ${JSON.stringify(point.attributes)}`, point]))
  const named = new Map(Object.values(metrics).map(({ name, prometheus }) => [name as string, prometheus]))
  return [...last.values()].flatMap(({ name, attributes, value, counts }) => {
    const prometheus = named.get(name)
    if (prometheus === undefined) return []
    const pairs = Object.entries(attributes).map(([key, text]) => [key.replaceAll('.', '_'), String(text)])
    const labels = Object.fromEntries(pairs)
    if (counts === undefined) return [{ name: prometheus, labels, value }]
    const count = counts.reduce((sum, one) => sum + one, 0)
    return [
      { name: `${prometheus}_count`, labels, value: count },
      { name: `${prometheus}_sum`, labels, value },
    ]
  })
}

function bookOfSamples(samples: readonly Sample[]): Book {
  const book = newBook()
  for (const [page, name, wanted] of SERIES) {
    for (const sample of samples.filter((candidate) => candidate.name === name)) {
      const labels = Object.entries(wanted).map(([label, key]) => [label, sample.labels[key]])
      const ready = page === 'dials' ? [['ready', readiness(sample.labels.error_type)]] : []
      book[page].add(Object.fromEntries([...labels, ...ready]), sample.value)
    }
  }
  return book
}

function readiness(error: Plain | undefined): string {
  return error ? 'no' : 'yes'
}

type Fields = Readonly<Record<string, unknown>>

/** The book of all spans. */
export function bookOfSpans(spans: readonly Span[]): Book {
  const book = newBook()
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  for (const span of spans) {
    const { name, attributes, parentSpanId } = span
    if (name === spanNames.transaction) addMail(book, attributes)
    else if (name === spanNames.session) addSession(book, attributes)
    else if (name === spanNames.dial) addDial(book, attributes)
    else if (isCommand(name)) addExchange(book, attributes, byId.get(parentSpanId)?.attributes ?? {})
  }
  return book
}

function isCommand(name: string): boolean {
  return commands.some((command) => command === name)
}

/** The book of the log lines. At level `info`, successful dials appear only as a number in their session's line. */
export function bookOfLines(lines: readonly Fields[]): Book {
  const book = newBook()
  const failed = Map.groupBy(
    lines.filter(({ msg }) => msg === 'dial failed'),
    (line) => line['smtp.session.id'],
  )
  for (const line of lines) {
    if (line.msg === 'transaction') addMail(book, line)
    if (line.msg === 'dial failed') addDial(book, line)
    if (line.msg !== 'session') continue
    addSession(book, line)
    const failures = failed.get(line['smtp.session.id'])?.length ?? 0
    book.dials.add({ ready: 'yes' }, Number(line['smtp.dial.count'] ?? 0) - failures)
  }
  return book
}

/** The book of log records. */
export function bookOfRecords(records: readonly LogRecord[]): Book {
  return bookOfLines(records.map(({ body, attributes }) => ({ ...attributes, msg: body })))
}

function addMail(book: Book, fields: Fields): void {
  const client = text(fields, 'smtp.client.name')
  const outcome = text(fields, 'smtp.transaction.outcome')
  book.transactions.add({ outcome, error: text(fields, 'error.type'), client })
  book.decisions.add({ outcome, ...replyOf(fields), client })
  for (const verdict of ['accepted', 'tempfail', 'permfail']) {
    book.recipients.add({ verdict, client }, Number(fields[`smtp.recipient.${verdict}`]))
  }
  if (fields['smtp.message.size'] === undefined) return
  book.bodies.add({ outcome, client })
  book.bytesOfBodies.add({ outcome, client }, Number(fields['smtp.message.size']))
}

function addSession(book: Book, fields: Fields): void {
  book.sessions.add({ reason: text(fields, 'smtp.session.close_reason'), client: text(fields, 'smtp.client.name') })
  book.mails.add({}, Number(fields['smtp.session.messages']))
  for (const direction of ['transmit', 'receive'])
    book.bytes.add({ direction }, Number(fields[`network.io.${direction}`]))
}

function addDial(book: Book, fields: Fields): void {
  const error = text(fields, 'error.type')
  book.dials.add({ ready: readiness(error), error, resumed: text(fields, 'tls.resumed') })
}

/** Replies that answer no command line: greetings, final replies and unsolicited replies. */
const NO_COMMANDS: readonly unknown[] = ['CONNECT', 'END-OF-MESSAGE', 'UNSOLICITED']

function addExchange(book: Book, fields: Fields, parent: Fields): void {
  const reply = replyOf(fields)
  const origin = text(fields, 'smtp.reply.origin')
  if (reply.code !== undefined) book.replies.add({ ...reply, origin, client: text(parent, 'smtp.client.name') })
  if (origin !== 'proxy' && !NO_COMMANDS.includes(reply.command)) book.commands.add({ command: reply.command })
}

function replyOf(fields: Fields) {
  return {
    command: text(fields, 'smtp.command'),
    code: text(fields, 'smtp.reply.code'),
    cause: text(fields, 'smtp.reply.cause'),
  }
}

function text(fields: Fields, key: string): string | undefined {
  return fields[key] === undefined ? undefined : String(fields[key])
}

const CLASSES: Readonly<Record<string, string>> = { 2: 'accepted', 4: 'tempfail', 5: 'permfail' }

/** The outcome that a reply code means for a recipient or a message. */
export function classOf(code: number): string {
  return CLASSES[Math.floor(code / 100)] ?? 'none'
}
