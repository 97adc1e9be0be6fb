/** Exhausts the file descriptors of a running proxy. `prlimit` of util-linux sets the limit of another process. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { connectClient, type Peer } from '../sockets/scripted-peers.ts'
import type { ProxyProcess } from './proxy-process.ts'

/** Why descriptors cannot be exhausted on this machine; undefined when they can. */
export function prlimitMissing(): string | undefined {
  return spawnSync('prlimit', ['--version']).status === 0 ? undefined : 'needs prlimit (util-linux) and /proc'
}

/** The number of attempts. Each ends with no free descriptor, or with one: then a dial fails. */
const MAX_ROUNDS = 10
/** Clients per attempt: more than there are free numbers below the highest descriptor in use. */
const MAX_CLIENTS = 100

/**
 * Leaves the proxy so few descriptors that it accepts a client and cannot dial. Returns what `times` such clients read,
 * or fewer texts when the other clients were served or their connections were closed. Restores the limit at the end.
 */
export async function exhaustDescriptors(
  { pid, port }: Pick<ProxyProcess, 'pid' | 'port'>,
  times = 1,
): Promise<string[]> {
  const held: Peer[] = []
  const refusals: string[] = []
  const before = limitOf(pid)
  try {
    for (let round = 0; round < MAX_ROUNDS && refusals.length < times; round += 1) {
      const highest = Math.max(...readdirSync(`/proc/${pid}/fd`).map(Number))
      setLimit(pid, highest + 2)
      await connectUntilRefused(port, held, refusals, times)
    }
    return refusals
  } finally {
    setLimit(pid, before)
    for (const client of held) client.destroy()
  }
}

function limitOf(pid: number): number {
  const options = ['--pid', `${pid}`, '--nofile', '--output=SOFT', '--noheadings', '--raw']
  return Number(execFileSync('prlimit', options, { encoding: 'utf8' }))
}

function setLimit(pid: number, soft: number): void {
  execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${soft}:`])
}

/** Connects clients until one is not accepted. Clients that are served stay connected; refused ones are closed. */
async function connectUntilRefused(port: number, held: Peer[], refusals: string[], times: number): Promise<void> {
  for (let count = 0; count < MAX_CLIENTS && refusals.length < times; count += 1) {
    const client = await connectClient({ port, limitMs: 20_000 })
    // without a descriptor, the connection is closed without a reply
    const said = await client.readReply().catch(() => '')
    if (said.startsWith('220 ')) held.push(client)
    else client.destroy()
    if (said.startsWith('421 ')) refusals.push(said)
    if (said === '' && refusals.length === 0) return
  }
}
