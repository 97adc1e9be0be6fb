/** A real Alertmanager on the loopback interface, and a webhook that it calls. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { startProgram } from './program.ts'
import { missing } from './programs.ts'

export type Labels = Readonly<Record<string, string>>

/** An alert as a webhook is told of it. */
export interface ToldAlert {
  readonly status: 'firing' | 'resolved'
  readonly labels: Labels
  readonly annotations: Labels
}

/** One call of the webhook. */
export interface Call {
  /** Milliseconds, as `performance.now()`. */
  readonly at: number
  readonly receiver: string
  readonly status: 'firing' | 'resolved'
  readonly alerts: readonly ToldAlert[]
}

export interface Webhook {
  readonly url: string
  /** All calls so far; it grows. */
  readonly calls: readonly Call[]
  /** The first call, past or future, that `wanted` accepts. Rejects after `limitMs`. */
  call(wanted: (call: Call) => boolean, limitMs: number): Promise<Call>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startWebhook(): Promise<Webhook> {
  const calls: Call[] = []
  const waiting = new Set<() => void>()
  const server = createServer(async (request, response) => {
    calls.push({ at: performance.now(), ...((await json(request)) as Omit<Call, 'at'>) })
    response.end()
    for (const look of waiting) look()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const call: Webhook['call'] = (wanted, limitMs) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(look)
        reject(new Error(`the webhook was not called so within ${limitMs} ms, but: ${JSON.stringify(calls)}`))
      }, limitMs)
      const look = () => {
        const found = calls.find(wanted)
        if (found === undefined) return
        clearTimeout(timer)
        waiting.delete(look)
        resolve(found)
      }
      waiting.add(look)
      look()
    })
  const dispose = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/`, calls, call, [Symbol.asyncDispose]: dispose }
}

/** An alert as Alertmanager knows it. */
export interface KnownAlert {
  readonly labels: Labels
  readonly status: { readonly state: 'active' | 'suppressed' | 'unprocessed'; readonly inhibitedBy: readonly string[] }
}

export interface Alertmanager {
  /** `127.0.0.1:port` */
  readonly address: string
  /** Tells it that alerts with these labels fire from now on. */
  fire(alerts: readonly Labels[]): Promise<void>
  /** What it knows; inhibited alerts too. */
  alerts(): Promise<readonly KnownAlert[]>
  [Symbol.asyncDispose](): Promise<void>
}

/** Why there can be no Alertmanager, and what would help; undefined when there can. */
export function alertmanagerMissing(): string | undefined {
  return missing('alertmanager')
}

/** Starts Alertmanager on a free port with the text of a configuration. Throws when it is not built or refuses it. */
export async function startAlertmanager(config: string): Promise<Alertmanager> {
  const directory = mkdtempSync(join(tmpdir(), 'alertmanager-'))
  writeFileSync(join(directory, 'alertmanager.yml'), config)
  const program = startProgram('alertmanager', [
    `--config.file=${join(directory, 'alertmanager.yml')}`,
    `--storage.path=${join(directory, 'data')}`,
    '--web.listen-address=127.0.0.1:0',
    '--cluster.listen-address=',
    '--log.format=json',
  ])
  const stop = async () => {
    await program.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const { address } = await program.line('Listening on')
    return { ...asked(`http://${address}/api/v2/alerts`), address: String(address), [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function asked(url: string): Pick<Alertmanager, 'fire' | 'alerts'> {
  return {
    async fire(alerts) {
      const body = JSON.stringify(alerts.map((labels) => ({ labels })))
      const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      if (!response.ok) throw new Error(`Alertmanager answered ${response.status}: ${await response.text()}`)
    },
    async alerts() {
      const response = await fetch(url)
      return (await response.json()) as KnownAlert[]
    },
  }
}
