/** The clients that the proxy itself refused, by network: who they are, how often, and the setting to change. */
import type { RecordReceiver } from '../otel/records/recorder.ts'
import type { SessionRecord } from '../otel/records/records.ts'
import type { CloseReason, refusedSessions } from '../proxy/events/closed-sets.ts'

/** How many networks are kept. Those that were refused last stay. */
export const NETWORKS = 50

/** Why the proxy refuses a client. */
export type Refusal = (typeof refusedSessions)[number]

/** The refusals of one network for one reason, since the start. */
export interface RefusedClient {
  /** The network, or the address as far as PROXY_RECORD_ADDRESSES allows. */
  readonly client: string
  readonly app: string
  readonly refusal: Refusal
  readonly why: string
  /** The settings that decide. */
  readonly setting: string
  readonly count: number
  /** In milliseconds since the Unix epoch. */
  readonly lastAt: number
}

export interface RefusedClientsReport {
  /** The last refused first. */
  readonly clients: readonly RefusedClient[]
  /** Refusals of networks that are not in the list any more. */
  readonly further: number
}

const EXPLANATIONS: Readonly<Record<Refusal, { readonly why: string; readonly setting: string }>> = {
  not_allowed: { why: 'Its address is not in PROXY_ALLOW', setting: 'PROXY_ALLOW' },
  session_limit: {
    why: 'Too many sessions are open, in total or for this client',
    setting: 'PROXY_MAX_SESSIONS, PROXY_MAX_SESSIONS_PER_CLIENT',
  },
  proxy_header: {
    why: 'Its address is in PROXY_TRUST_PROXY_PROTOCOL, but it sent no valid PROXY header',
    setting: 'PROXY_TRUST_PROXY_PROTOCOL',
  },
}

/** What the page shows of a client's address. */
export type ShowClient = (address: string) => string

export class RefusedClients implements RecordReceiver {
  /** In the order of the last refusal. */
  readonly #known = new Map<string, RefusedClient>()
  readonly #show: ShowClient
  #further = 0

  constructor(show: ShowClient) {
    this.#show = show
  }

  /** Clients with a message were not refused. */
  message(): void {}

  session({ close, session: { open } }: SessionRecord): void {
    const { reason, at } = close
    if (!isRefusal(reason)) return
    const client = this.#show(open.clientAddress)
    const key = `${reason} ${client} ${open.clientName}`
    const count = (this.#known.get(key)?.count ?? 0) + 1
    this.#known.delete(key)
    const refused = { client, app: open.clientName, refusal: reason, ...EXPLANATIONS[reason], count, lastAt: at }
    this.#known.set(key, refused)
    if (this.#known.size > NETWORKS) this.#forgetOldest()
  }

  report(): RefusedClientsReport {
    return { clients: [...this.#known.values()].reverse(), further: this.#further }
  }

  #forgetOldest(): void {
    const [oldest] = this.#known
    if (!oldest) return
    this.#known.delete(oldest[0])
    this.#further += oldest[1].count
  }
}

/** Whether a session ended because the proxy refused its client, and not because of what the client sent. */
export function isRefusal(reason: CloseReason): reason is Refusal {
  return Object.hasOwn(EXPLANATIONS, reason)
}
