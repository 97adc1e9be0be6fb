/**
 * Reads names of faults. A name is one word that contains its parameters (`421-at-data`, `slow-300-at-rcpt`,
 * `latency-50`). The same word works in an address (`fault+421-at-data@example.com`), as a flag at start, and over
 * HTTP.
 */
import { type CommandFault, type Fault, type FaultPoint, type FaultType, isCommandFault } from './fault.ts'
import { FAULTS } from './faults/index.ts'

/**
 * The largest number in a name: the longest delay of a timer in Node, in milliseconds. Above it, a timer does not wait.
 */
const MAX_NUMBER = 2 ** 31 - 1

/** A name, taken apart. */
export interface FaultName {
  /** Its key in `FAULTS`, such as `slow-<ms>-at-<command>`. */
  readonly form: string
  readonly parameters: Readonly<Record<string, number>>
  /** The command in the name; `greeting` if the name contains none. */
  readonly at: FaultPoint
}

/** Takes a fault's name apart; undefined if there is no such fault, or if a number is above 2,147,483,647. */
export function readFaultName(name: string): FaultName | undefined {
  for (const [form, { pattern }] of Object.entries(FAULTS)) {
    const match = pattern.exec(name)
    if (!match) continue
    const { at = 'greeting', ...numbers } = match.groups ?? {}
    const given = Object.entries(numbers).filter(([, digits]) => digits !== undefined)
    const parameters = Object.fromEntries(given.map(([parameter, digits]) => [parameter, Number(digits)]))
    if (Object.values(parameters).some((number) => number > MAX_NUMBER)) return undefined
    return { form, parameters, at: at as FaultPoint }
  }
  return undefined
}

/** The type of a fault by its name; undefined if there is no such fault. */
export function faultType(name: string): FaultType | undefined {
  const form = readFaultName(name)?.form
  return form === undefined ? undefined : FAULTS[form]
}

/** Makes the fault of a name; undefined if there is no such fault, or if a number is above 2,147,483,647. */
export function parseFault(name: string): Fault | undefined {
  const read = readFaultName(name)
  return read && FAULTS[read.form]?.create(read.parameters, read.at)
}

/** The points at which an address can choose a fault. */
const ADDRESS_POINTS: ReadonlySet<FaultPoint> = new Set(['mail', 'rcpt', 'data', 'end-of-message'])

/**
 * The faults in an address: `fault+<name>[+<name>...]@any.example`. Empty for other addresses; undefined if a name is
 * not a fault's, or if the fault applies before the simulator knows the address.
 */
export function faultsOfAddress(address: string): readonly CommandFault[] | undefined {
  const [local = ''] = address.split('@', 1)
  const [marker, ...names] = local.split('+')
  if (marker?.toLowerCase() !== 'fault') return []
  const faults = names.map((name) => parseFault(name.toLowerCase()))
  const fits = (fault: Fault | undefined): fault is CommandFault =>
    fault !== undefined && isCommandFault(fault) && ADDRESS_POINTS.has(fault.at)
  return faults.every(fits) ? faults : undefined
}
