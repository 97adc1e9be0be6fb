/** The control server: which faults there are and which are in force; sets and clears them; shows the ledger. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Faults } from '../active-faults.ts'
import { FAULT_FORMS, FAULT_POINTS, formOf } from '../faults.ts'
import type { Ledger } from '../ledger.ts'
import { rehearse } from '../rehearsals.ts'
import { controlPage } from './page.ts'
import { isFromOtherSite, parseOptions, readBody } from './requests.ts'

interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * `GET /` lists faults, as text or, for browsers, as a page with buttons; `POST /rehearsals/<id>` is such a button; `PUT
 * /faults/<name>` sets one (JSON options: probability, times, text), `DELETE /faults/<name>` clears one, `DELETE /faults`
 * all, `GET /ledger` is the sum and `GET /ledger/records` everything, `GET /ledger/bodies` how often each body (by its
 * SHA-256) was received, as JSON. No request ends it, and no other web site gives it orders.
 */
export function makeControl(faults: Faults, ledger: Ledger): Server {
  return createServer(async (request, response) => {
    // A client may go away in the midst of its body. Nobody reads this then.
    const broken = (error: Error): Answer => ({ status: 500, body: `${error.message}\n` })
    const { status, body, headers } = await answer(request, faults, ledger).catch(broken)
    const plain = typeof body === 'string'
    response.writeHead(status, { 'content-type': plain ? 'text/plain; charset=utf-8' : 'application/json', ...headers })
    response.end(plain ? body : `${JSON.stringify(body)}\n`)
  })
}

async function answer(request: IncomingMessage, faults: Faults, ledger: Ledger): Promise<Answer> {
  const segments = segmentsOf(request.url ?? '/')
  if (!segments) return { status: 400, body: 'no such address\n' }
  if (request.method !== 'GET' && isFromOtherSite(request)) return { status: 403, body: 'not from another web site\n' }
  const [, room = '', name] = segments
  switch (`${request.method} ${room}`) {
    case 'GET ':
      return request.headers.accept?.includes('text/html')
        ? html(controlPage(faults, ledger))
        : { status: 200, body: page(faults) }
    case 'GET ledger':
      return ledgerPage(ledger, name)
    case 'POST rehearsals':
      if (!rehearse(name ?? '', faults)) return { status: 404, body: 'no such rehearsal\n' }
      // back to the page, so that reloading it does not press the button again
      return { status: 303, body: '', headers: { location: '/' } }
    case 'PUT faults':
      return set(faults, name ?? '', await readBody(request))
    case 'DELETE faults':
      return faults.clear(name) ? { status: 200, body: faults.list() } : { status: 404, body: 'not in force\n' }
    default:
      return { status: 404, body: 'no such page\n' }
  }
}

/** The parts of a path between slashes; undefined when one of them is no percent-encoded UTF-8. */
function segmentsOf(path: string): readonly string[] | undefined {
  try {
    return path.split('/').map(decodeURIComponent)
  } catch {
    return undefined
  }
}

function html(body: string): Answer {
  return { status: 200, body, headers: { 'content-type': 'text/html; charset=utf-8' } }
}

function set(faults: Faults, name: string, json: string | undefined): Answer {
  if (json === undefined) return { status: 413, body: 'too long\n' }
  try {
    faults.set(name, parseOptions(json))
    return { status: 200, body: faults.list() }
  } catch (error) {
    return { status: 400, body: `${(error as Error).message}\n` }
  }
}

function ledgerPage(ledger: Ledger, name: string | undefined): Answer {
  if (name === 'records') return { status: 200, body: records(ledger) }
  if (name !== 'bodies') return { status: 200, body: ledger.summary() }
  if (ledger.detail === 'summary') return { status: 404, body: 'bodies are not counted: see --bodies\n' }
  return { status: 200, body: Object.fromEntries(ledger.bodies) }
}

function records({ sessions, commands, replies, messages }: Ledger): unknown {
  return { sessions, commands, replies, messages: messages.map(({ bytes: _, ...rest }) => rest) }
}

function page(faults: Faults): string {
  const active = faults.list().map(({ name, options, struck }) => {
    return `${name} ${JSON.stringify(options)} struck ${struck} times: ${formOf(name)?.meaning}`
  })
  return `AhaSend rehearsal. Nothing here leaves this machine.

Faults in force:
${active.length > 0 ? active.join('\n') : 'none'}

${faultHelp()}
`
}

/** The list of faults, for people. */
export function faultHelp(): string {
  const width = Math.max(...FAULT_FORMS.map(({ form }) => form.length))
  return `Faults:
${FAULT_FORMS.map(({ form, meaning }) => `${form.padEnd(width)}  ${meaning}`).join('\n')}

<command> is one of ${FAULT_POINTS.join(', ')}.

At start:   --fault NAME[=probability:0.1,times:3,text:words]
Any time:   PUT /faults/NAME {"probability":0.1,"times":3,"text":"words"}; DELETE /faults/NAME; DELETE /faults
By address: fault+NAME[+NAME...]@any.example as sender (mail, rcpt, data, end-of-message) or recipient (rcpt for itself,
            data, end-of-message)
`
}
