/**
 * `idle-<ms>`: shortens (or extends) the idle limit.
 *
 * Breaks: pooled connections. After the limit the simulator sends AhaSend's unsolicited 421 and closes the connection.
 * Applies: to connections that open while the fault is set.
 * Parameters: `<ms>`, the idle limit in milliseconds, instead of 60,000.
 */
import type { FaultType } from '../fault.ts'

export const idle: FaultType<'ms'> = {
  meaning: 'The simulator closes new connections with the unsolicited 421 after this many milliseconds without data.',
  pattern: /^idle-(?<ms>[0-9]+)$/,
  create: ({ ms }) => ({ idleMs: ms }),
}
