/**
 * Checks at start whether the process may open enough files for its sockets. Nothing reports a shortage later: when no
 * descriptor is left, libuv accepts connections with a reserved one and closes them immediately, and Node emits no event.
 */
import { readFileSync } from 'node:fs'
import { type Environment, isSet } from '../../settings/environment.ts'
import { MAX_REFUSED } from '../connection/refused.ts'
import { MAX_ATTEMPTS } from '../net/happy-eyeballs.ts'
import { RAISE_OPEN_FILES } from '../net/shortage.ts'
import type { Config } from '../settings/config.ts'
import { SETTINGS } from '../settings/table.ts'

/** Sockets of a session that relays: client and upstream. */
const PER_SESSION = 2
/** Further sockets of a session that dials: the other attempts, and a kept connection that greeted with 421. */
const PER_DIAL = MAX_ATTEMPTS - 1 + 1
/** Arbitrary: sessions that dial addresses that do not answer. If there are more, fewer sessions can relay. */
const SLOW_DIALS = 20
/** Measured: 7 to 13. */
const PER_WORKER = 16
/** Arbitrary: Node's own 25, the admin server's 128 clients, and exports. */
const REST = 256

/** The settings that determine how many descriptors are needed. */
type Sizes = Pick<Config, 'maxSessions' | 'warmConnections' | 'workers'>

/** Descriptors in addition to those of sessions that relay. */
function overhead({ warmConnections, workers }: Sizes): number {
  return warmConnections + PER_WORKER * workers + SLOW_DIALS * PER_DIAL + MAX_REFUSED + REST
}

/** All descriptors that PROXY_MAX_SESSIONS sessions need. */
function needed(sizes: Sizes): number {
  return PER_SESSION * sizes.maxSessions + overhead(sizes)
}

/** The number of sessions that `limit` open files allow; 0 or less if none. */
function fitting(sizes: Sizes, limit: number): number {
  return Math.floor((limit - overhead(sizes)) / PER_SESSION)
}

const { variable: SETTING, default: DEFAULT } = SETTINGS.maxSessions

/** A log line about a file descriptor limit that is too low. */
export interface OpenFilesNote {
  readonly level: 'info' | 'warn'
  readonly message: string
  readonly facts: {
    readonly setting: string
    /** The number of sessions in effect. */
    readonly sessions: number
    /** Open files that the wanted number of sessions needs. */
    readonly needed: number
    /** Open files that the system allows. */
    readonly limit: number
    readonly advice: string
  }
}

/** The soft limit of open files in the text of /proc/self/limits; Infinity for `unlimited`, undefined if it is missing. */
export function openFilesLimit(limits: string): number | undefined {
  const [, soft] = /^Max open files +(\d+|unlimited) /m.exec(limits) ?? []
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : soft === undefined ? undefined : Number(soft)
}

/**
 * Lowers the number of sessions to what `limit` open files allow, unless PROXY_MAX_SESSIONS is set. The default also
 * stays if the limit allows no session at all.
 */
export function fitDefault(config: Config, env: Environment, limit: number): Config {
  const fit = fitting(config, limit)
  return isSet(SETTING, env) || fit < 1 || fit >= config.maxSessions ? config : { ...config, maxSessions: fit }
}

/**
 * Returns a warning if `limit` open files are too few for the configured sessions, an info line if `fitDefault` lowered
 * their number, and undefined if there are enough.
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
  return `raise the file descriptor limit to ${files} (${RAISE_OPEN_FILES})`
}

/** The limit of this process, which Node has already raised to the hard limit; Infinity where there is no /proc. */
export function ownOpenFilesLimit(): number {
  try {
    return openFilesLimit(readFileSync('/proc/self/limits', 'latin1')) ?? Number.POSITIVE_INFINITY
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
