/**
 * Everything that the simulator can be told to do wrong: a closed list, one row a fault, one sentence each. A fault is
 * named by one word with its numbers inside (`421-at-data`, `slow-300-at-rcpt`, `latency-50`), and the same word works
 * in an address (`fault+421-at-data@example.com`), as a flag at start, and over HTTP.
 */

/** Where an answer fault strikes. `ehlo-in-clear` is the EHLO that comes before a required STARTTLS. */
export const FAULT_POINTS = [
  'greeting',
  'ehlo-in-clear',
  'starttls',
  'ehlo',
  'auth',
  'mail',
  'rcpt',
  'data',
  'end-of-message',
  'rset',
  'noop',
  'quit',
] as const

export type FaultPoint = (typeof FAULT_POINTS)[number]

/** A fault that changes how one command is answered. Times are in milliseconds. */
export type AnswerFault =
  | { readonly kind: 'reply'; readonly at: FaultPoint; readonly code: number; readonly text?: string }
  | { readonly kind: 'slow'; readonly at: FaultPoint; readonly ms: number }
  | { readonly kind: 'silence' | 'close' | 'reset' | 'cut' | 'cut-reset'; readonly at: FaultPoint }

/** A fault below SMTP and TLS, chosen when a connection is accepted. Times in milliseconds, amounts in bytes. */
export type WireFault =
  | { readonly kind: 'latency'; readonly fromMs: number; readonly toMs: number }
  | { readonly kind: 'bandwidth' | 'slices' | 'wire-reset' | 'wire-silence' | 'wire-cut'; readonly bytes: number }

export type Fault = AnswerFault | WireFault | { readonly kind: 'idle'; readonly ms: number }

/** One row of the list of faults. */
export interface FaultForm {
  /** How its name is written. */
  readonly form: string
  readonly meaning: string
  readonly pattern: RegExp
  /** Makes the fault of a name that fits the pattern. */
  make(numbers: readonly number[], at: FaultPoint): Fault
}

const AT = `-at-(?<at>${FAULT_POINTS.join('|')})`

export const FAULT_FORMS: readonly FaultForm[] = [
  {
    form: '<code>-at-<command>',
    meaning: 'The command is answered with this code and not performed; 421 also closes the connection.',
    pattern: new RegExp(`^([2-5][0-9][0-9])${AT}$`),
    make: ([code = 0], at) => ({ kind: 'reply', at, code }),
  },
  {
    form: 'slow-<ms>-at-<command>',
    meaning: 'The command is performed and answered so many milliseconds late.',
    pattern: new RegExp(`^slow-([0-9]+)${AT}$`),
    make: ([ms = 0], at) => ({ kind: 'slow', at, ms }),
  },
  {
    form: 'silence-at-<command>',
    meaning: 'The command is never answered and the connection stays open.',
    pattern: new RegExp(`^silence${AT}$`),
    make: (_, at) => ({ kind: 'silence', at }),
  },
  {
    form: 'close-at-<command>',
    meaning: 'The connection is closed (FIN) instead of answering the command.',
    pattern: new RegExp(`^close${AT}$`),
    make: (_, at) => ({ kind: 'close', at }),
  },
  {
    form: 'reset-at-<command>',
    meaning: 'The connection is reset (RST) instead of answering the command.',
    pattern: new RegExp(`^reset${AT}$`),
    make: (_, at) => ({ kind: 'reset', at }),
  },
  {
    form: 'cut-at-<command>',
    meaning: 'The first half of the reply to the command is sent, then the connection is closed (FIN).',
    pattern: new RegExp(`^cut${AT}$`),
    make: (_, at) => ({ kind: 'cut', at }),
  },
  {
    form: 'cut-reset-at-<command>',
    meaning: 'The first half of the reply to the command is sent, then the connection is reset (RST).',
    pattern: new RegExp(`^cut-reset${AT}$`),
    make: (_, at) => ({ kind: 'cut-reset', at }),
  },
  {
    form: 'load-shedding',
    meaning: 'The greeting is a 421 that speaks of load shedding, and the connection is closed.',
    pattern: /^load-shedding$/,
    make: () => ({ kind: 'reply', at: 'greeting', code: 421 }),
  },
  {
    form: 'account-disabled',
    meaning: 'Every MAIL is answered with 521, as for an account that is suspended, paused or out of credits.',
    pattern: /^account-disabled$/,
    make: () => ({ kind: 'reply', at: 'mail', code: 521 }),
  },
  {
    form: 'idle-<ms>',
    meaning: 'New connections get the unsolicited 421 and are closed after so many milliseconds without data.',
    pattern: /^idle-([0-9]+)$/,
    make: ([ms = 0]) => ({ kind: 'idle', ms }),
  },
  {
    form: 'latency-<ms>[-<ms>]',
    meaning: 'Every chunk of bytes waits so many milliseconds (or between two figures) in either direction.',
    pattern: /^latency-([0-9]+)(?:-([0-9]+))?$/,
    make: ([fromMs = 0, toMs = fromMs]) => ({ kind: 'latency', fromMs, toMs }),
  },
  {
    form: 'bandwidth-<bytes>',
    meaning: 'At most so many bytes a second travel in either direction.',
    pattern: /^bandwidth-([1-9][0-9]*)$/,
    make: ([bytes = 1]) => ({ kind: 'bandwidth', bytes }),
  },
  {
    form: 'slices-<bytes>',
    meaning: 'Bytes travel in segments of at most so many bytes, in either direction.',
    pattern: /^slices-([1-9][0-9]*)$/,
    make: ([bytes = 1]) => ({ kind: 'slices', bytes }),
  },
  {
    form: 'wire-reset-<bytes>',
    meaning: 'The connection is reset (RST) once so many bytes have gone to the client.',
    pattern: /^wire-reset-([0-9]+)$/,
    make: ([bytes = 0]) => ({ kind: 'wire-reset', bytes }),
  },
  {
    form: 'wire-silence-<bytes>',
    meaning: 'Nothing travels to the client any more, once so many bytes have, and the connection stays open.',
    pattern: /^wire-silence-([0-9]+)$/,
    make: ([bytes = 0]) => ({ kind: 'wire-silence', bytes }),
  },
  {
    form: 'wire-cut-<bytes>',
    meaning: 'The connection is closed (FIN) once so many bytes have gone to the client.',
    pattern: /^wire-cut-([0-9]+)$/,
    make: ([bytes = 0]) => ({ kind: 'wire-cut', bytes }),
  },
]

/** The row that a fault's name belongs to; undefined when there is no such fault. */
export function formOf(name: string): FaultForm | undefined {
  return FAULT_FORMS.find(({ pattern }) => pattern.test(name))
}

/** The longest that a timer waits, in milliseconds; beyond it, it does not wait at all. */
const MAX_NUMBER = 2 ** 31 - 1

/** Reads a fault's name; undefined when there is no such fault, or one of its numbers is above 2,147,483,647. */
export function parseFault(name: string): Fault | undefined {
  const form = formOf(name)
  const match = form?.pattern.exec(name)
  if (!form || !match) return undefined
  const numbers = match.slice(1).flatMap((part) => (part && /^[0-9]+$/.test(part) ? [Number(part)] : []))
  if (numbers.some((number) => number > MAX_NUMBER)) return undefined
  return form.make(numbers, (match.groups?.at ?? 'greeting') as FaultPoint)
}

/** True for faults that change how a command is answered. */
export function isAnswerFault(fault: Fault): fault is AnswerFault {
  return 'at' in fault
}

/** True for faults below SMTP. */
export function isWireFault(fault: Fault): fault is WireFault {
  return !isAnswerFault(fault) && fault.kind !== 'idle'
}

const ADDRESS_POINTS: ReadonlySet<FaultPoint> = new Set(['mail', 'rcpt', 'data', 'end-of-message'])

/**
 * The faults that an address asks for: `fault+<name>[+<name>...]@any.example`. Empty for other addresses; undefined when
 * a name is no fault, or one that comes too early for an address to choose.
 */
export function faultsOfAddress(address: string): readonly AnswerFault[] | undefined {
  const [local = ''] = address.split('@', 1)
  const [marker, ...names] = local.split('+')
  if (marker?.toLowerCase() !== 'fault') return []
  const faults = names.map((name) => parseFault(name.toLowerCase()))
  const fits = (fault: Fault | undefined): fault is AnswerFault =>
    fault !== undefined && isAnswerFault(fault) && ADDRESS_POINTS.has(fault.at)
  return faults.every(fits) ? faults : undefined
}
