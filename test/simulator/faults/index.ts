/**
 * Everything that the simulator can do wrong, by name. The control page and `--help` print this table. To add a fault,
 * write one file beside this one and add one line here.
 */
import type { FaultType } from '../fault.ts'
import { accountDisabled } from './account-disabled.ts'
import { bandwidth } from './bandwidth.ts'
import { close } from './close.ts'
import { cut } from './cut.ts'
import { cutReset } from './cut-reset.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { loadShedding } from './load-shedding.ts'
import { reply } from './reply.ts'
import { reset } from './reset.ts'
import { silence } from './silence.ts'
import { slices } from './slices.ts'
import { slow } from './slow.ts'
import { wireCut } from './wire-cut.ts'
import { wireReset } from './wire-reset.ts'
import { wireSilence } from './wire-silence.ts'

export const FAULTS: Readonly<Record<string, FaultType>> = {
  '<code>-at-<command>': reply,
  'slow-<ms>-at-<command>': slow,
  'silence-at-<command>': silence,
  'close-at-<command>': close,
  'reset-at-<command>': reset,
  'cut-at-<command>': cut,
  'cut-reset-at-<command>': cutReset,
  'load-shedding': loadShedding,
  'account-disabled': accountDisabled,
  'idle-<ms>': idle,
  'latency-<ms>[-<ms>]': latency,
  'bandwidth-<bytes>': bandwidth,
  'slices-<bytes>': slices,
  'wire-reset-<bytes>': wireReset,
  'wire-silence-<bytes>': wireSilence,
  'wire-cut-<bytes>': wireCut,
}
