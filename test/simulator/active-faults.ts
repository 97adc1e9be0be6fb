/** The faults in force while a simulator runs: set, cleared, drawn by chance from a seeded generator. */
import {
  type AnswerFault,
  type Fault,
  type FaultPoint,
  isAnswerFault,
  isWireFault,
  parseFault,
  type WireFault,
} from './faults.ts'
import { seededRandom } from './random.ts'

/** How often a fault strikes, and with what words. */
export interface FaultOptions {
  /** Chance of striking each time it could: 0 to 1. Default 1. */
  readonly probability?: number
  /** Strikes so many times, then is cleared. Default: no end. */
  readonly times?: number
  /** Text of the reply, in place of the usual one; only for `<code>-at-<command>` and the faults made of it. */
  readonly text?: string
}

/** A fault in force. */
export interface ActiveFault {
  readonly name: string
  readonly options: FaultOptions
  /** How often it has struck. */
  readonly struck: number
}

/** What the faults make of one answer. Without faults: no delay and nothing else. */
export interface Plan {
  readonly delayMs: number
  /** Answer with this instead of performing the command. */
  readonly reply?: { readonly code: number; readonly text?: string }
  /** Do not answer, but do this. */
  readonly ending?: 'silence' | 'close' | 'reset'
  /** Send half of the reply, then do this. */
  readonly cut?: 'close' | 'reset'
}

/** The plan of an answer that no fault touches. */
export const CALM: Plan = Object.freeze({ delayMs: 0 })

interface Entry {
  readonly fault: Fault
  readonly options: FaultOptions
  struck: number
}

/** The faults in force. Draws come from one generator, in the order in which they are needed. */
export class Faults {
  readonly random: () => number
  readonly #entries = new Map<string, Entry>()

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  /** Puts a fault in force, replacing one of the same name. Throws a RangeError on an unknown name or a bad option. */
  set(name: string, options: FaultOptions = {}): void {
    const fault = parseFault(name)
    if (!fault) throw new RangeError(`no such fault: ${name}`)
    const { probability = 1, times = 1 } = options
    if (!(probability >= 0 && probability <= 1)) throw new RangeError(`probability is 0 to 1, not ${probability}`)
    if (!(Number.isInteger(times) && times > 0)) throw new RangeError(`times is 1 or more, not ${times}`)
    this.#entries.set(name, { fault: withText(fault, options.text), options, struck: 0 })
  }

  /** Ends a fault, or all of them. Returns false when it was not in force. */
  clear(name?: string): boolean {
    if (name !== undefined) return this.#entries.delete(name)
    const some = this.#entries.size > 0
    this.#entries.clear()
    return some
  }

  /** The faults in force, in the order in which they were set. */
  list(): readonly ActiveFault[] {
    return [...this.#entries].map(([name, { options, struck }]) => ({ name, options, struck }))
  }

  /** What to do about the answer at a point. `chosen` are faults that addresses asked for; they come first. */
  plan(at: FaultPoint, chosen: readonly AnswerFault[] = []): Plan {
    if (this.#entries.size === 0 && chosen.length === 0) return CALM
    const drawn = this.#draw((fault): fault is AnswerFault => isAnswerFault(fault) && fault.at === at)
    return planOf([...chosen.filter((fault) => fault.at === at), ...drawn])
  }

  /** The wire faults of a new connection. */
  wire(): readonly WireFault[] {
    return this.#entries.size === 0 ? [] : this.#draw(isWireFault)
  }

  /** The idle limit of a new connection, in milliseconds. */
  idleMs(usual: number): number {
    const [idle] = this.#draw((fault): fault is Extract<Fault, { kind: 'idle' }> => fault.kind === 'idle')
    return idle?.ms ?? usual
  }

  #draw<Some extends Fault>(fits: (fault: Fault) => fault is Some): readonly Some[] {
    const drawn: Some[] = []
    for (const [name, entry] of this.#entries) {
      if (!fits(entry.fault) || this.random() >= (entry.options.probability ?? 1)) continue
      entry.struck += 1
      if (entry.struck === entry.options.times) this.#entries.delete(name)
      drawn.push(entry.fault)
    }
    return drawn
  }
}

function withText(fault: Fault, text: string | undefined): Fault {
  if (text === undefined) return fault
  if (fault.kind !== 'reply') throw new RangeError(`a fault of kind ${fault.kind} has no text`)
  if (/[\r\n]/.test(text)) throw new RangeError('text is one line')
  return { ...fault, text }
}

/** Delays add up; of several replies, endings or cuts the first one counts. */
function planOf(faults: readonly AnswerFault[]): Plan {
  if (faults.length === 0) return CALM
  let plan: Plan = CALM
  for (const fault of faults) plan = { ...planOfOne(fault), ...plan, delayMs: plan.delayMs + delayOf(fault) }
  return plan
}

function delayOf(fault: AnswerFault): number {
  return fault.kind === 'slow' ? fault.ms : 0
}

function planOfOne(fault: AnswerFault): Omit<Plan, 'delayMs'> {
  switch (fault.kind) {
    case 'slow':
      return {}
    case 'reply':
      return { reply: fault }
    case 'cut':
      return { cut: 'close' }
    case 'cut-reset':
      return { cut: 'reset' }
    default:
      return { ending: fault.kind }
  }
}
