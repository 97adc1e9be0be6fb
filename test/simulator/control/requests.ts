/** Checks requests to the control server: where they come from, and what they contain. */
import type { IncomingMessage } from 'node:http'
import type { FaultOptions } from '../active-faults.ts'

/** Characters of a request's body. Options are much shorter. */
const MAX_BODY = 10_000

/**
 * True if another web site makes a browser send this request. The page has no log-in, so any site could press its
 * buttons. Another port of this machine counts as another site. A client that sends neither header, such as curl, is
 * not a browser.
 */
export function isFromOtherSite({ headers }: IncomingMessage): boolean {
  const { origin, host, 'sec-fetch-site': site = 'none' } = headers
  if (site !== 'same-origin' && site !== 'none') return true
  if (origin === undefined) return false
  const from = URL.parse(origin)
  return from === null || from.host !== URL.parse(`${from.protocol}//${host}`)?.host
}

/** The body as text; undefined if it is too long. Rejects if the client disconnects before the end of the body. */
export async function readBody(request: IncomingMessage): Promise<string | undefined> {
  let body = ''
  let length = 0
  for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) {
    length += chunk.length
    if (length <= MAX_BODY) body += chunk
  }
  return length <= MAX_BODY ? body : undefined
}

/** The names of the options and their JSON types. */
const OPTION_TYPES: Readonly<Record<string, string>> = { probability: 'number', times: 'number', text: 'string' }

/**
 * Parses the options of a fault. An empty text means no options. Throws an Error on anything else that is not valid.
 */
export function parseOptions(json: string): FaultOptions {
  const options: unknown = json === '' ? {} : JSON.parse(json)
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new RangeError('options are a JSON object')
  for (const [name, value] of Object.entries(options)) {
    const type = Object.hasOwn(OPTION_TYPES, name) ? OPTION_TYPES[name] : undefined
    if (type === undefined) throw new RangeError(`no such fault option: ${name}`)
    if (typeof value !== type) throw new RangeError(`${name} is a ${type}`)
  }
  return options
}
