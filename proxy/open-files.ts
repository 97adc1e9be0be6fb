/**
 * Whether the process may open as many files as its sessions need sockets. Nobody learns of it later: when none is left,
 * libuv accepts connections with a descriptor that it kept and closes them at once, and Node says nothing.
 */
import { readFileSync } from 'node:fs'
import type { Config } from './config.ts'
import { SETTINGS } from './config-table.ts'

/** The client's and the upstream's. */
const FOR_A_SESSION = 2
/** Measured: 7 to 13. */
const FOR_A_WORKER = 16
/** Arbitrary: Node's own 25, the admin server's 128 clients, exports, and sessions that are refused. */
const FOR_THE_REST = 256

/** What an operator is told. */
export interface FewDescriptors {
  readonly setting: string
  readonly sessions: number
  /** Open files at that many sessions. */
  readonly needed: number
  /** Open files that the system allows. */
  readonly limit: number
  readonly advice: string
}

/** The soft limit of open files in the text of /proc/self/limits; Infinity for `unlimited`, undefined when it is not there. */
export function openFilesLimit(limits: string): number | undefined {
  const [, soft] = /^Max open files +(\d+|unlimited) /m.exec(limits) ?? []
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : soft === undefined ? undefined : Number(soft)
}

/** Undefined when so many files are enough. */
export function fewDescriptors(
  { maxSessions, warmConnections, workers }: Pick<Config, 'maxSessions' | 'warmConnections' | 'workers'>,
  limit: number,
): FewDescriptors | undefined {
  const besides = warmConnections + FOR_A_WORKER * workers + FOR_THE_REST
  const needed = FOR_A_SESSION * maxSessions + besides
  if (needed <= limit) return undefined
  const setting = SETTINGS.maxSessions.variable
  const fitting = Math.floor((limit - besides) / FOR_A_SESSION)
  const raise = `raise the limit of open files to ${needed} (ulimit -n, docker run --ulimit nofile=, LimitNOFILE=)`
  const advice = fitting > 0 ? `${raise} or set ${setting} to ${fitting}` : raise
  return { setting, sessions: maxSessions, needed, limit, advice }
}

/** The limit of this process, which Node has raised as far as it may; Infinity where there is no /proc. */
export function ownOpenFilesLimit(): number {
  try {
    return openFilesLimit(readFileSync('/proc/self/limits', 'latin1')) ?? Number.POSITIVE_INFINITY
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
