/** The `tail` command: prints what the running proxy does, a line for each command and each message, until Ctrl-C. */
import { get, type IncomingMessage } from 'node:http'
import type { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { lookupOwnFirst } from '../proxy/net/own-addresses.ts'
import type { Environment } from '../settings/environment.ts'
import type { TailLine } from '../status/tail/line.ts'
import { LineText, showsColours } from '../status/tail/text.ts'
import { EXIT, type ExitCode } from './exit-code.ts'
import { readArguments, type TailArguments } from './tail-arguments.ts'

/** How long the proxy may take to answer. */
const CONNECT_MS = 5000
/** How long the last lines may take to be written when the command ends. */
const FLUSH_MS = 500

/** The options, for the help of the command. */
export const TAIL_OPTIONS = `Ctrl-C ends it.

  --app NAMES       only these apps, as PROXY_CLIENTS names them; other = apps without a name
  --code CODES      only these reply codes, or classes of codes: 521, 4xx
  --cause NAMES     only these causes, such as load_shedding
  --outcome NAMES   only messages with these outcomes: accepted, tempfail, permfail, aborted, in_doubt
  --slow TIME       only what took at least this time, such as 2s
  --json            print JSON objects, one per line
  --url URL         the admin server of the proxy; without it, that of PROXY_ADMIN

Lists are comma-separated. A line must match all arguments. A message follows its commands.
AHASEND is the time in which AhaSend owed a reply. TOTAL also has the time in the app and in the proxy.`

/** Runs the command. Resolves with the exit code. */
export async function tail(args: readonly string[], env: Environment): Promise<ExitCode> {
  const options = readArguments(args, env)
  if ('mistakes' in options) return failed(options.mistakes.join('\n'), EXIT.misconfigured)
  if (options.url === undefined) {
    return failed(
      'PROXY_ADMIN is off, so the proxy has no admin server to read from. To read from another proxy, use --url.',
    )
  }
  let response: IncomingMessage
  try {
    response = await connect(options)
  } catch (error) {
    return failed(`No proxy answers at ${options.url}: ${reasonOf(error)}. Is it running, and is this its PROXY_ADMIN?`)
  }
  const isTail = response.statusCode === 200 && response.headers['content-type']?.startsWith('text/event-stream')
  if (!isTail) return refused(response, options)
  console.error(`Connected to ${options.url}. Ctrl-C ends.`)
  return follow(response, new Printer(options, env))
}

function failed(sentence: string, code: ExitCode = EXIT.failed): ExitCode {
  console.error(sentence)
  return code
}

function connect({ url, query }: TailArguments): Promise<IncomingMessage> {
  return new Promise((settle, fail) => {
    const request = get(`${url}/tail?${query}`, { agent: false, lookup: lookupOwnFirst }, (response) => {
      request.setTimeout(0)
      settle(response)
    })
    request.setTimeout(CONNECT_MS, () => request.destroy(new Error(`no response within ${CONNECT_MS} ms`)))
    request.on('error', fail)
  })
}

/** Node's error for a name with several addresses has no message. */
function reasonOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException
  return message || code || String(error)
}

async function refused(response: IncomingMessage, { url }: TailArguments): Promise<ExitCode> {
  const { statusCode } = response
  if (statusCode === 400) return failed((await text(response)).trim(), EXIT.misconfigured)
  if (statusCode === 503) return failed(`The proxy at ${url} has too many readers: close a status page or a tail.`)
  return failed(
    `The server at ${url} has no /tail (HTTP ${statusCode}): is it the admin server of this version of the proxy?`,
  )
}

/** Prints until a signal, until the proxy closes the connection, or until no one reads the output. */
async function follow(response: IncomingMessage, printer: Printer): Promise<ExitCode> {
  const { promise: ended, resolve } = Promise.withResolvers<string>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve(''))
  process.stdout.on('error', () => resolve(''))
  const closed = () => resolve(printer.stopped ? 'The proxy stopped. ' : 'The connection to the proxy was cut. ')
  printer.print(response).then(closed, closed)
  const reason = await ended
  response.destroy()
  await printer.flush()
  const { shown, lost } = printer
  console.error(`${reason}${shown} ${shown === 1 ? 'line' : 'lines'} shown, ${lost} lost.`)
  return EXIT.ok
}

/** Writes the events of the proxy to standard output, and counts them. */
class Printer {
  shown = 0
  lost = 0
  /** True once the proxy has said that it stops. */
  stopped = false
  readonly #json: boolean
  readonly #text: LineText
  readonly #output: Writable = process.stdout

  constructor({ json }: TailArguments, env: Environment) {
    this.#json = json
    this.#text = new LineText(showsColours(process.stdout.isTTY === true, env))
    if (!json) this.#output.write(`${this.#text.heading()}\n`)
  }

  /** Resolves when the proxy ends the response. Reads no further while the output is full. */
  async print(response: IncomingMessage): Promise<void> {
    let rest = ''
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      const events = (rest + chunk).split('\n\n')
      rest = events.pop() ?? ''
      const lines = events.map((event) => this.#lineOf(event)).join('')
      if (lines !== '' && !this.#output.write(lines)) await drained(this.#output)
    }
  }

  /** Waits a little until everything is written. */
  flush(): Promise<void> {
    return new Promise((settle) => {
      setTimeout(settle, FLUSH_MS)
      this.#output.write('', () => settle())
    })
  }

  /** What to print for an event, with the end of the line. */
  #lineOf(event: string): string {
    const data = event.slice(event.indexOf('data: ') + 'data: '.length)
    if (event.startsWith('event: stopped')) {
      this.stopped = true
      return ''
    }
    if (event.startsWith('event: lost')) {
      this.lost += Number(data)
      return `${this.#json ? `{"lost":${data}}` : this.#text.lost(Number(data))}\n`
    }
    this.shown += 1
    return `${this.#json ? data : this.#text.of(JSON.parse(data) as TailLine)}\n`
  }
}

function drained(output: Writable): Promise<void> {
  return new Promise((settle) => output.once('drain', settle))
}
