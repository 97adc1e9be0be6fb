/** What the control page believes of a request: who may give orders, and what an order says. */
import type { IncomingMessage } from 'node:http'
import type { FaultOptions } from '../active-faults.ts'

/** Characters of a request's body; options are far shorter. */
const MAX_BODY = 10_000

/**
 * True when another web site makes a browser send this: the page has no log-in, so any site could press its buttons.
 * Other ports of this machine are other sites. Who sends neither header, like curl, is no browser.
 */
export function isFromOtherSite({ headers }: IncomingMessage): boolean {
  const { origin, host, 'sec-fetch-site': site = 'none' } = headers
  if (site !== 'same-origin' && site !== 'none') return true
  if (origin === undefined) return false
  const from = URL.parse(origin)
  return from === null || from.host !== URL.parse(`${from.protocol}//${host}`)?.host
}

/** The body as text; undefined when it is too long. Rejects when the client goes away before its end. */
export async function readBody(request: IncomingMessage): Promise<string | undefined> {
  let body = ''
  let length = 0
  for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) {
    length += chunk.length
    if (length <= MAX_BODY) body += chunk
  }
  return length <= MAX_BODY ? body : undefined
}

/** The names of options and their types in JSON. */
const OPTION_TYPES: Readonly<Record<string, string>> = { probability: 'number', times: 'number', text: 'string' }

/** Reads a fault's options; no text is no options. Throws an Error on anything that is not a fault's options. */
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
