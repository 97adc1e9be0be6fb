/** `npm run rehearsal` during an incident whose alert fires, for the pictures of its control page. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Summary } from '../../simulator/ledger.ts'
import { until } from '../waiting/until.ts'

const INCIDENT = 'account-disabled'
/** Messages before the incident: about a minute of mail. */
const ENOUGH_MAIL = 300
const PATIENCE = { limitMs: 180_000, everyMs: 500 }

export interface PicturedRehearsal extends AsyncDisposable {
  /** The control page. */
  readonly url: string
}

/** Starts a rehearsal, and resolves when the alert fires and its incident has refused as many messages. */
export async function startRehearsal(): Promise<PicturedRehearsal> {
  const child = spawn(process.execPath, ['test/rehearsal/main.ts'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const dispose = async () => {
    if (child.exitCode === null) await Promise.all([once(child, 'exit'), child.kill('SIGINT')])
  }
  const url = await controlPage(createInterface(child.stdout))
  const get = async (path: string) => (await fetch(new URL(path, url))).text()
  const messages = async () => JSON.parse(await get('ledger')) as Summary
  await until('mail flows', async () => (await messages()).messages.accepted > ENOUGH_MAIL, PATIENCE)
  await fetch(new URL(`rehearsals/${INCIDENT}`, url), { method: 'POST' })
  const firing = async () => (await get('live')).includes('data-standing=\\"firing\\"')
  const refused = async () => (await messages()).replies.some(({ code, count }) => code === 521 && count > 250)
  await until('the alert fires', async () => (await firing()) && (await refused()), PATIENCE)
  return { url, [Symbol.asyncDispose]: dispose }
}

async function controlPage(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const [, url] = /^control page +(\S+)/.exec(line) ?? []
    if (url !== undefined) return url
  }
  throw new Error('the rehearsal has no control page')
}
