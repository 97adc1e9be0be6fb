/**
 * The `.dlg` format: both sides of one SMTP conversation in one text file, one behaviour a file.
 *
 *     # The first comment is the behaviour, in one sentence.
 *     ## ids: PIP-01 DAT-03          catalogue ids that the file proves
 *     ## listener: starttls          plain (default), starttls (plain with a certificate) or smtps
 *     ## rigs: pure socket           only these rigs run it (default: pure socket)
 *     ## addresses: domain           PROXY_RECORD_ADDRESSES: none (default), domain or full
 *
 *     S 220 mail.example ESMTP       upstream sends this line; CRLF is added
 *     C EHLO app                     client sends this line; CRLF is added
 *     C~ "a\u0000b\n" * 3            exact bytes: a JSON string, each of \u0000 to \u00ff one octet; may be repeated
 *     S! 250-XCLIENT NAME            upstream sends it, the proxy keeps it: the client must not read it
 *     C! STARTTLS                    client sends it, the proxy keeps it: the upstream must not read it
 *     P 220 2.0.0 go                 nobody sends it: the client must read it from the proxy, here
 *     --                             what was written so far is one segment, and has arrived on the other side
 *     wait 20ms                      nothing happens for so long
 *     close C                        a FIN from this side; `reset C` is an RST; likewise `close S`, `reset S`
 *     close P                        the proxy ends both connections; both sides must see it
 *
 * `!` and `~` combine (`S!~ "250 half"`). The order of the file is the order of the world: a side writes when it has
 * read everything that stands above. Consecutive lines of one side are one segment. Every file has a `close` or a
 * `reset`. There are no variables and no loops.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { AddressScope } from '../../proxy/smtp/path.ts'

export type Side = 'client' | 'upstream'
export type Listener = 'plain' | 'starttls' | 'smtps'
export type Rig = 'pure' | 'socket' | 'telemetry'

/** One line of a script. `line` is its number in the file, from 1. */
export type Step =
  /** `side` writes; `relayed` is false when the proxy must keep it for itself. */
  | {
      readonly kind: 'write'
      readonly line: number
      readonly side: Side
      readonly bytes: Buffer
      readonly relayed: boolean
    }
  /** The client reads this, and no upstream wrote it. */
  | { readonly kind: 'proxy'; readonly line: number; readonly bytes: Buffer }
  | { readonly kind: 'flush'; readonly line: number }
  | { readonly kind: 'wait'; readonly line: number; readonly milliseconds: number }
  | { readonly kind: 'end'; readonly line: number; readonly side: Side | 'proxy'; readonly how: 'fin' | 'reset' }

export interface Script {
  /** `topic/name`: the path below the folder of the scripts, without `.dlg`. */
  readonly name: string
  readonly behaviour: string
  readonly ids: readonly string[]
  readonly listener: Listener
  readonly rigs: readonly Rig[]
  readonly addresses: AddressScope
  readonly steps: readonly Step[]
}

const LISTENERS: readonly Listener[] = ['plain', 'starttls', 'smtps']
const ADDRESSES: readonly AddressScope[] = ['none', 'domain', 'full']
const RIGS: readonly Rig[] = ['pure', 'socket', 'telemetry']
const SIDES: Readonly<Record<string, Side>> = { C: 'client', S: 'upstream' }

/**
 * Reads one script.
 * @throws Error that names the file and the line, when the text is not a script.
 */
export function parseScript(name: string, text: string): Script {
  const behaviour = /^# (.+)$/m.exec(text)?.[1]
  if (behaviour === undefined)
    throw new Error(`${name}.dlg: begin with a comment that says the behaviour in one sentence`)
  const steps: Step[] = []
  const settings = new Map<string, string[]>()
  for (const [index, line] of text.split('\n').entries()) {
    const wrong = (what: string) => new Error(`${name}.dlg:${index + 1}: ${what}: ${line}`)
    const setting = /^## (\w+): (.+)$/.exec(line)
    if (setting) settings.set(setting[1]!, setting[2]!.trim().split(/\s+/))
    else if (line !== '' && !line.startsWith('#')) steps.push(parseStep(line, index + 1, wrong))
  }
  if (!steps.some((step) => step.kind === 'end')) throw new Error(`${name}.dlg: end with a close or a reset`)
  return { name, behaviour, steps, ...parseSettings(name, settings) }
}

/** Scripts by what the proxy must be like for them, each kind once. */
export function byStage(scripts: readonly Script[]): Map<string, Script[]> {
  return Map.groupBy(scripts, ({ listener, addresses }) => `${listener}, addresses ${addresses}`)
}

/** The scripts of a folder and of its subfolders, sorted by name; `rig` selects those that run in this rig. */
export function readScripts(folder: URL, rig?: Rig): Script[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.dlg'))
    .sort()
    .map((file) => parseScript(file.slice(0, -'.dlg'.length), readFileSync(new URL(file, folder), 'utf8')))
    .filter((script) => rig === undefined || script.rigs.includes(rig))
}

/** Everything one side writes, in order: `relayed` = only what must arrive on the other side as it is. */
export function bytesFrom(script: Script, side: Side, relayed: 'relayed' | 'all'): Buffer {
  return Buffer.concat(
    script.steps.flatMap((step) =>
      step.kind === 'write' && step.side === side && (step.relayed || relayed === 'all') ? [step.bytes] : [],
    ),
  )
}

function parseSettings(
  name: string,
  settings: Map<string, string[]>,
): Pick<Script, 'ids' | 'listener' | 'rigs' | 'addresses'> {
  const given = Object.fromEntries(settings)
  const { ids = [], listener = ['plain'], rigs = ['pure', 'socket'], addresses = ['none'], ...others } = given
  for (const key of Object.keys(others)) throw new Error(`${name}.dlg: no such setting: ${key}`)
  const choose = <T extends string>(values: readonly string[], allowed: readonly T[]) =>
    values.map((value) => {
      const choice = allowed.find((one) => one === value)
      if (choice === undefined) throw new Error(`${name}.dlg: ${value} is none of ${allowed.join(', ')}`)
      return choice
    })
  return {
    ids,
    listener: choose(listener, LISTENERS)[0]!,
    rigs: choose(rigs, RIGS),
    addresses: choose(addresses, ADDRESSES)[0]!,
  }
}

function parseStep(text: string, line: number, wrong: (what: string) => Error): Step {
  if (text === '--') return { kind: 'flush', line }
  const wait = /^wait (\d+)ms$/.exec(text)
  if (wait) return { kind: 'wait', line, milliseconds: Number(wait[1]) }
  const end = /^(?:(close|reset) ([CS])|(close) (P))$/.exec(text)
  if (end) return { kind: 'end', line, side: SIDES[end[2] ?? ''] ?? 'proxy', how: end[1] === 'reset' ? 'reset' : 'fin' }
  const write = /^([CSP])(!?)(~?)(?: (.*))?$/.exec(text)
  if (!write || write[0].startsWith('P!')) throw wrong('not a step')
  const [, who = '', kept, exact, rest = ''] = write
  const bytes = exact ? exactBytes(rest, wrong) : lineBytes(rest, wrong)
  if (who === 'P') return { kind: 'proxy', line, bytes }
  return { kind: 'write', line, side: SIDES[who]!, bytes, relayed: kept === '' }
}

function lineBytes(text: string, wrong: (what: string) => Error): Buffer {
  if (!/^[\x20-\x7e]*$/.test(text) || text.endsWith(' ')) {
    throw wrong('not plain ASCII, or blanks at the end that nobody can see: write it exactly, with ~')
  }
  return Buffer.from(`${text}\r\n`, 'latin1')
}

function exactBytes(text: string, wrong: (what: string) => Error): Buffer {
  const literal = /^(".*")(?: \* (\d+))?$/.exec(text)
  if (!literal) throw wrong('not a JSON string, or a JSON string * times')
  const value: unknown = JSON.parse(literal[1]!)
  if (typeof value !== 'string' || Buffer.from(value, 'latin1').toString('latin1') !== value) {
    throw wrong('an octet is \\u0000 to \\u00ff')
  }
  return Buffer.from(value.repeat(Number(literal[2] ?? 1)), 'latin1')
}
