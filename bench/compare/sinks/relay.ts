/** The network path of W6. */
import { fileURLToPath } from 'node:url'
import { type NodeProgram, startNode } from '../processes/node-program.ts'

/** Starts a relay in front of a port. */
export function startRelay(port: number, roundTripMs: number): Promise<NodeProgram<{ readonly port: number }>> {
  return startNode(fileURLToPath(new URL('relay-main.ts', import.meta.url)), [`${port}`, `${roundTripMs}`])
}
