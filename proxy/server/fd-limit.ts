/**
 * Whether the process may open as many files as its sessions need sockets. Nothing reports it later: when none is left,
 * libuv accepts connections with a descriptor that it kept and closes them at once, and Node emits no event.
 */
import { readFileSync } from 'node:fs'
import { type Environment, isSet } from '../../settings/environment.ts'
import { MAX_REFUSED } from '../connection/refused.ts'
import { MAX_ATTEMPTS } from '../net/happy-eyeballs.ts'
import { RAISE_OPEN_FILES } from '../net/shortage.ts'
import type { Config } from '../settings/config.ts'
import { SETTINGS } from '../settings/table.ts'

/** The client's and the upstream's, while a session relays. */
const FOR_A_SESSION = 2
/** More while it dials: the other attempts, and a connection that greeted with 421 and is kept. */
const MORE_FOR_A_DIAL = MAX_ATTEMPTS - 1 + 1
/** Arbitrary: sessions that dial addresses without an answer. With more of them, fewer sessions relay. */
const SLOW_DIALS = 20
/** Measured: 7 to 13. */
const FOR_A_WORKER = 16
/** Arbitrary: Node's own 25, the admin server's 128 clients, and exports. */
const FOR_THE_REST = 256

/** Settings that decide how many descriptors are needed. */
type Sizes = Pick<Config, 'maxSessions' | 'warmConnections' | 'workers'>

/** Descriptors besides those of sessions that relay. */
function besides({ warmConnections, workers }: Sizes): number {
  return warmConnections + FOR_A_WORKER * workers + SLOW_DIALS * MORE_FOR_A_DIAL + MAX_REFUSED + FOR_THE_REST
}

/** All descriptors, at PROXY_MAX_SESSIONS. */
function needed(sizes: Sizes): number {
  return FOR_A_SESSION * sizes.maxSessions + besides(sizes)
}

/** How many sessions fit into `limit` open files; 0 or less when none does. */
function fitting(sizes: Sizes, limit: number): number {
  return Math.floor((limit - besides(sizes)) / FOR_A_SESSION)
}

const { variable: SETTING, default: DEFAULT } = SETTINGS.maxSessions

/** What the log says of descriptors that are too few. */
export interface OpenFilesNote {
  readonly level: 'info' | 'warn'
  readonly message: string
  readonly facts: {
    readonly setting: string
    /** The number of sessions in effect. */
    readonly sessions: number
    /** Open files at the number of sessions that was wanted. */
    readonly needed: number
    /** Open files that the system allows. */
    readonly limit: number
    readonly advice: string
  }
}

/** The soft limit of open files in the text of /proc/self/limits; Infinity for `unlimited`, undefined when it is not there. */
export function openFilesLimit(limits: string): number | undefined {
  const [, soft] = /^Max open files +(\d+|unlimited) /m.exec(limits) ?? []
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : soft === undefined ? undefined : Number(soft)
}

/**
 * The configuration with as many sessions as fit into `limit` open files, where PROXY_MAX_SESSIONS is not set. What is set
 * stays, and so does the default when not one session fits.
 */
export function fitDefault(config: Config, env: Environment, limit: number): Config {
  const fit = fitting(config, limit)
  return isSet(SETTING, env) || fit < 1 || fit >= config.maxSessions ? config : { ...config, maxSessions: fit }
}

/**
 * A warning when `limit` open files are too few for the sessions that the configuration allows, an information when
 * `fitDefault` lowered their number, undefined when there are enough.
 */
export function openFilesNote(sizes: Sizes, env: Environment, limit: number): OpenFilesNote | undefined {
  if (needed(sizes) > limit) return tooFew(sizes, limit)
  return isSet(SETTING, env) || sizes.maxSessions >= Number(DEFAULT) ? undefined : lowered(sizes, limit)
}

function tooFew(sizes: Sizes, limit: number): OpenFilesNote {
  const fit = fitting(sizes, limit)
  const raise = raiseTo(needed(sizes))
  const advice = fit > 0 ? `${raise} or set ${SETTING} to ${fit}` : raise
  const facts = { setting: SETTING, sessions: sizes.maxSessions, needed: needed(sizes), limit, advice }
  return { level: 'warn', message: `file descriptor limit too low for ${SETTING}`, facts }
}

function lowered(sizes: Sizes, limit: number): OpenFilesNote {
  const wanted = needed({ ...sizes, maxSessions: Number(DEFAULT) })
  const advice = `${raiseTo(wanted)} for ${DEFAULT} sessions`
  const facts = { setting: SETTING, sessions: sizes.maxSessions, needed: wanted, limit, advice }
  return { level: 'info', message: `${SETTING} lowered to fit the file descriptor limit`, facts }
}

function raiseTo(files: number): string {
  return `raise the limit of open files to ${files} (${RAISE_OPEN_FILES})`
}

/** The limit of this process, which Node has raised as far as it may; Infinity where there is no /proc. */
export function ownOpenFilesLimit(): number {
  try {
    return openFilesLimit(readFileSync('/proc/self/limits', 'latin1')) ?? Number.POSITIVE_INFINITY
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
