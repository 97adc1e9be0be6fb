/** The control server: lists, sets and clears faults, starts rehearsals, and shows the ledger. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { ActiveFaults } from '../active-faults.ts'
import type { Ledger } from '../ledger.ts'
import { AlertWatch } from './alert-watch.ts'
import { pageFile } from './files.ts'
import { IncidentLog } from './incident-log.ts'
import { controlPage, update } from './page.ts'
import { isFromOtherSite, parseOptions, readBody } from './requests.ts'
import type { ControlLinks, State } from './state.ts'
import { overview } from './text.ts'

interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** The control server, and the incidents that it starts. */
export interface Control {
  readonly server: Server
  readonly incidents: IncidentLog
}

/**
 * The endpoints. Answers are JSON unless this list states another form:
 *
 *     GET /                    the faults: a page with buttons for browsers, text for all other clients
 *     GET /live                what an open page replaces
 *     POST /rehearsals/<id>    starts a rehearsal, as its button does
 *     PUT /faults/<name>       sets a fault; the body is its options (probability, times, text)
 *     DELETE /faults/<name>    clears a fault
 *     DELETE /faults           clears all faults
 *     GET /ledger              the totals
 *     GET /ledger/records      each session, command, reply and message
 *     GET /ledger/bodies       how often each body was received, by SHA-256
 *
 * No request stops the server. It rejects changes that another web site makes a browser send.
 */
export function makeControl(faults: ActiveFaults, ledger: Ledger, links: ControlLinks = {}): Control {
  const log = new IncidentLog(faults, ledger, new AlertWatch(links.alertmanagerUrl))
  const controlled = { faults, ledger, log, links }
  const server = createServer(async (request, response) => {
    // If a client disconnects inside its body, no one reads this answer.
    const aborted = (error: Error): Answer => ({ status: 500, body: `${error.message}\n` })
    const { status, body, headers } = await answer(request, controlled).catch(aborted)
    const plain = typeof body === 'string'
    const type = { 'content-type': plain ? 'text/plain; charset=utf-8' : 'application/json' }
    response.writeHead(status, { ...SECURITY, ...type, ...headers })
    response.end(plain ? body : `${JSON.stringify(body)}\n`)
  })
  server.once('close', () => log.close())
  return { server, incidents: log }
}

/** The page runs only its own script, and no other page may frame it. */
const SECURITY = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; " +
    "frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
}

/** What the control server shows and changes. */
interface Controlled {
  readonly faults: ActiveFaults
  readonly ledger: Ledger
  readonly log: IncidentLog
  readonly links: ControlLinks
}

function stateOf({ faults, log, links }: Controlled): State {
  const { incident, entries, numbers, watch } = log
  const { alerts, reach } = watch
  return { now: Date.now(), faults: faults.list(), incident, entries, numbers, alerts, reach, links }
}

async function answer(request: IncomingMessage, controlled: Controlled): Promise<Answer> {
  const { faults, ledger, log } = controlled
  const segments = segmentsOf(request.url ?? '/')
  if (!segments) return { status: 400, body: 'invalid path\n' }
  if (request.method !== 'GET' && isFromOtherSite(request)) return { status: 403, body: 'sent by another web site\n' }
  const [, section = '', name] = segments
  switch (`${request.method} ${section}`) {
    case 'GET ':
      return request.headers.accept?.includes('text/html')
        ? html(controlPage(stateOf(controlled)))
        : { status: 200, body: overview(faults) }
    case 'GET live':
      return { status: 200, body: update(stateOf(controlled)) }
    case 'GET ledger':
      return ledgerPage(ledger, name)
    case 'POST rehearsals':
      if (!log.start(name ?? '')) return { status: 404, body: 'no such rehearsal\n' }
      // Back to the page, so that reloading it does not press the button again.
      return { status: 303, body: '', headers: { location: '/' } }
    case 'PUT faults':
      return set(faults, name ?? '', await readBody(request))
    case 'DELETE faults':
      return faults.clear(name) ? { status: 200, body: faults.list() } : { status: 404, body: 'not set\n' }
    default:
      return fileAnswer(request.method, section)
  }
}

function fileAnswer(method: string | undefined, name: string): Answer {
  const file = method === 'GET' ? pageFile(name) : undefined
  if (file === undefined) return { status: 404, body: 'no such page\n' }
  return { status: 200, body: file.body, headers: { 'content-type': file.type } }
}

/** The parts of a path between slashes; undefined if a part is not percent-encoded UTF-8. */
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

function set(faults: ActiveFaults, name: string, json: string | undefined): Answer {
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
