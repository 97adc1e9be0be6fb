/** The options of `npm run bench`. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Contender, Security } from './contenders/contender.ts'
import { CONTENDERS } from './contenders/index.ts'
import { WORKLOADS } from './workloads/index.ts'
import type { Workload } from './workloads/workload.ts'

export interface Options {
  readonly workloads: readonly Workload[]
  readonly contenders: readonly Contender[]
  readonly upstreams: readonly Security[]
  readonly rounds: number
  /** How long one measurement takes. */
  readonly seconds: number
  /** Fewer variants of the workloads and fewer idle sessions. */
  readonly short: boolean
  /** Settings of our proxy. */
  readonly settings: Readonly<Record<string, string>>
  /** The folder for CPU profiles of our proxy; undefined: no profiles, which cost CPU time themselves. */
  readonly profiles: string | undefined
  /** The folder for the results. */
  readonly out: string
  /** True: the results become the newest ones of docs/performance.md. */
  readonly docs: boolean
}

/** A mistake in the options, as a sentence for the user. */
export class UsageError extends Error {}

/** Peers of the short mode. */
const SHORT_PEERS = ['pipe', 'prototype', 'haproxy', 'stunnel']
const SHORT_VARIANTS = ['ours-off', 'ours']

/** Parses the arguments. Throws UsageError. `help` when the user asks for it. */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values } = parsed(args)
  if (values.help) return 'help'
  const short = values.short
  return {
    workloads: chosen('--only', values.only, WORKLOADS),
    contenders: contendersOf(values.against, short),
    upstreams: chosen('--upstream', values.upstream, SECURITIES).map(({ id }) => id),
    rounds: positive('--rounds', values.rounds ?? (short ? '1' : '5'), true),
    seconds: positive('--seconds', values.seconds ?? (short ? '0.5' : '2'), false),
    short,
    settings: Object.fromEntries(values.set.map(assignment)),
    profiles: values.profile ? join(values.out, 'profiles') : undefined,
    out: values.out,
    docs: values.docs,
  }
}

const SECURITIES: readonly { readonly id: Security }[] = [{ id: 'plain' }, { id: 'tls' }]

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string' },
        against: { type: 'string' },
        upstream: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        short: { type: 'boolean', default: false },
        set: { type: 'string', multiple: true, default: [] },
        out: { type: 'string', default: '.cache/bench' },
        docs: { type: 'boolean', default: false },
        profile: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** The items with these ids, in their usual order; all without a list. */
function chosen<Item extends { readonly id: string }>(option: string, list: string | undefined, all: readonly Item[]) {
  if (list === undefined) return all
  const ids = list.split(',').map((id) => id.trim().toLowerCase())
  const unknown = ids.find((id) => !all.some((item) => item.id.toLowerCase() === id))
  if (unknown !== undefined)
    throw new UsageError(`${option}: '${unknown}' is unknown; known are ${all.map(({ id }) => id).join(', ')}`)
  return all.filter((item) => ids.includes(item.id.toLowerCase()))
}

/** The direct connection and our own variants always run; `--against` selects the peers. */
function contendersOf(against: string | undefined, short: boolean): readonly Contender[] {
  const peers = CONTENDERS.filter(({ role }) => role === 'peer')
  const wanted = chosen('--against', against ?? (short ? SHORT_PEERS.join(',') : undefined), peers)
  return CONTENDERS.filter((one) => {
    if (one.role === 'ours') return !short || SHORT_VARIANTS.includes(one.id)
    return one.role === 'direct' || wanted.includes(one)
  })
}

function positive(option: string, text: string, whole: boolean): number {
  const number = Number(text)
  if (number > 0 && Number.isFinite(number) && (!whole || Number.isInteger(number))) return number
  throw new UsageError(`${option}: '${text}' is not a positive ${whole ? 'whole number' : 'number'}`)
}

function assignment(text: string): readonly [string, string] {
  const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(text) ?? []
  if (name === undefined || value === undefined)
    throw new UsageError(`--set: '${text}' is not of the form PROXY_WORKERS=2`)
  return [name, value]
}

/** The text of `--help`. */
export function helpText(): string {
  const rows = (items: readonly { readonly id: string; readonly title: string }[]) =>
    items.map(({ id, title }) => `    ${id.padEnd(14)}${title}`).join('\n')
  return `Compares the proxy with a direct connection and with other proxies on this machine.

  npm run bench -- [OPTIONS]

  --short              about 2 minutes: fewer peers, one round
  --only W2,W5         only these workloads
  --against haproxy    only these peers; the direct connection and our own variants always run
  --upstream tls       only this kind of upstream: plain, tls
  --rounds 5           rounds of each measurement; contenders take turns in each
  --seconds 2          duration of one measurement
  --set NAME=VALUE     a setting of our proxy; may be repeated
  --out FOLDER         where bench.md, bench.json and bench.svg go (default: .cache/bench)
  --profile            also write CPU profiles of our proxy (bench/profile.ts prints their most expensive lines)
  --docs               also update docs/performance.md and docs/images/bench.svg

  Workloads
${rows(WORKLOADS)}

  Peers
${rows(CONTENDERS.filter(({ role }) => role === 'peer'))}
`
}
