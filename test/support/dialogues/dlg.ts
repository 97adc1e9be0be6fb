/**
 * The `.dlg` format: a text file with both sides of one SMTP conversation. Each file shows one behaviour.
 *
 *     # The first comment states the behaviour in one sentence.
 *     ## ids: PIP-01 DAT-03          ids of docs/test-cases.md that the file proves
 *     ## listener: starttls          plain (default), starttls (plain with a certificate) or smtps
 *     ## rigs: pure socket           the rigs that run the file (default: pure socket)
 *     ## addresses: domain           PROXY_RECORD_ADDRESSES: none (default), domain or full
 *
 *     S 220 mail.example ESMTP       the upstream sends this line; the rigs add CRLF
 *     C EHLO app                     the client sends this line; the rigs add CRLF
 *     C~ "a\u0000b\n" * 3            exact bytes: a JSON string, one byte for each of \u0000 to \u00ff; may be repeated
 *     S! 250-XCLIENT NAME            the upstream sends this, and the proxy does not relay it to the client
 *     C! STARTTLS                    the client sends this, and the proxy does not relay it to the upstream
 *     P 220 2.0.0 go                 the proxy sends this to the client
 *     --                             ends a segment; everything above has reached the other side
 *     wait 20ms                      nothing happens for 20 ms
 *     close C                        the client sends a FIN (`reset C`: an RST); also `close S`, `reset S`
 *     close P                        the proxy closes both connections, and both sides see it
 *
 * `!` and `~` can be combined (`S!~ "250 half"`). Events happen in the order of the file: a side writes once it has
 * read everything above. Consecutive lines of one side are one segment. Every file contains a `close` or a `reset`.
 * There are no variables and no loops.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { AddressScope } from '../../../proxy/smtp/path.ts'

export type Side = 'client' | 'upstream'
export type Listener = 'plain' | 'starttls' | 'smtps'
export type Rig = 'pure' | 'socket' | 'telemetry'

/** One step of a script. `line` is its line number in the file, starting at 1. */
export type Step =
  /** `side` writes; `relayed` is false if the proxy must not relay it. */
  | {
      readonly kind: 'write'
      readonly line: number
      readonly side: Side
      readonly bytes: Buffer
      readonly relayed: boolean
    }
  /** The client reads this from the proxy; the upstream did not send it. */
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
 * Parses one script.
 * @throws Error with the file and the line, if the text is not a valid script.
 */
export function parseScript(name: string, text: string): Script {
  const behaviour = /^# (.+)$/m.exec(text)?.[1]
  if (behaviour === undefined)
    throw new Error(`${name}.dlg: begin with a comment that states the behaviour in one sentence`)
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

/** Groups the scripts by the stage that they need: the listener and the recorded addresses. */
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
    throw wrong('not plain ASCII, or invisible spaces at the end: write exact bytes with ~')
  }
  return Buffer.from(`${text}\r\n`, 'latin1')
}

function exactBytes(text: string, wrong: (what: string) => Error): Buffer {
  const literal = /^(".*")(?: \* (\d+))?$/.exec(text)
  if (!literal) throw wrong('not a JSON string, or a JSON string * times')
  const value: unknown = JSON.parse(literal[1]!)
  if (typeof value !== 'string' || Buffer.from(value, 'latin1').toString('latin1') !== value) {
    throw wrong('a byte is \\u0000 to \\u00ff')
  }
  return Buffer.from(value.repeat(Number(literal[2] ?? 1)), 'latin1')
}
