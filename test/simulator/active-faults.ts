/** The faults that are set while a simulator runs. A seeded random generator decides when they apply. */
import {
  type CommandFault,
  type Fault,
  type FaultPoint,
  isCommandFault,
  isIdleFault,
  isWireFault,
  type WireFault,
} from './fault.ts'
import { parseFault } from './fault-names.ts'
import { seededRandom } from './random.ts'

/** How often a fault applies, and with which text. */
export interface FaultOptions {
  /** Chance that the fault applies each time it could: 0 to 1. Default 1. */
  readonly probability?: number
  /** The fault applies this many times, then it is cleared. Default: no limit. */
  readonly times?: number
  /**
   * Text of the reply, instead of the usual one. Only for `<code>-at-<command>` and the faults that are built on it.
   */
  readonly text?: string
}

/** A fault that is set. */
export interface ActiveFault {
  readonly name: string
  readonly options: FaultOptions
  /** The number of times it has applied. */
  readonly applied: number
}

/** What the faults at one command add up to. */
export interface Plan extends Pick<CommandFault, 'insteadOfCommand' | 'afterHalfReply'> {
  readonly delayMs: number
}

/** The plan without a fault. */
export const NO_FAULT: Plan = Object.freeze({ delayMs: 0 })

interface Entry {
  readonly fault: Fault
  readonly options: FaultOptions
  applied: number
}

/** The faults that are set. All random draws come from one generator, in the order in which they are needed. */
export class ActiveFaults {
  readonly random: () => number
  readonly #entries = new Map<string, Entry>()

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  /** Sets a fault, and replaces one of the same name. Throws a RangeError on an unknown name or a bad option. */
  set(name: string, options: FaultOptions = {}): void {
    const fault = parseFault(name)
    if (!fault) throw new RangeError(`no such fault: ${name}`)
    const { probability = 1, times = 1, text } = options
    if (!(probability >= 0 && probability <= 1)) throw new RangeError(`probability is 0 to 1, not ${probability}`)
    if (!(Number.isInteger(times) && times > 0)) throw new RangeError(`times is 1 or more, not ${times}`)
    this.#entries.set(name, { fault: text === undefined ? fault : withText(name, fault, text), options, applied: 0 })
  }

  /** Clears a fault, or all of them. Returns false if there was none to clear. */
  clear(name?: string): boolean {
    if (name !== undefined) return this.#entries.delete(name)
    const some = this.#entries.size > 0
    this.#entries.clear()
    return some
  }

  /** The faults that are set, in the order in which they were set. */
  list(): readonly ActiveFault[] {
    return [...this.#entries].map(([name, { options, applied }]) => ({ name, options, applied }))
  }

  /** What to do at one command. `chosen` are the faults in the addresses of the message; they come first. */
  plan(at: FaultPoint, chosen: readonly CommandFault[] = []): Plan {
    if (this.#entries.size === 0 && chosen.length === 0) return NO_FAULT
    const drawn = this.#draw((fault): fault is CommandFault => isCommandFault(fault) && fault.at === at)
    return combine([...chosen.filter((fault) => fault.at === at), ...drawn])
  }

  /** The wire faults of a new connection. */
  wireFaults(): readonly WireFault[] {
    return this.#entries.size === 0 ? [] : this.#draw(isWireFault)
  }

  /** The idle limit of a new connection in milliseconds. */
  idleMs(usual: number): number {
    const [first] = this.#draw(isIdleFault)
    return first?.idleMs ?? usual
  }

  #draw<Some extends Fault>(fits: (fault: Fault) => fault is Some): readonly Some[] {
    const drawn: Some[] = []
    for (const [name, entry] of this.#entries) {
      if (!fits(entry.fault) || this.random() >= (entry.options.probability ?? 1)) continue
      entry.applied += 1
      if (entry.applied === entry.options.times) this.#entries.delete(name)
      drawn.push(entry.fault)
    }
    return drawn
  }
}

function withText(name: string, fault: Fault, text: string): Fault {
  if (!isCommandFault(fault) || !fault.withText) throw new RangeError(`the fault ${name} has no text`)
  if (/[\r\n]/.test(text)) throw new RangeError('text is one line')
  return fault.withText(text)
}

/** Delays add up. If several faults replace or cut the reply, the first one counts. */
function combine(faults: readonly CommandFault[]): Plan {
  if (faults.length === 0) return NO_FAULT
  return {
    delayMs: faults.reduce((sum, { delayMs = 0 }) => sum + delayMs, 0),
    ...firstOf(faults, 'insteadOfCommand'),
    ...firstOf(faults, 'afterHalfReply'),
  }
}

function firstOf(
  faults: readonly CommandFault[],
  member: 'insteadOfCommand' | 'afterHalfReply',
): Partial<CommandFault> {
  const action = faults.find((fault) => fault[member])?.[member]
  return action ? { [member]: action } : {}
}
