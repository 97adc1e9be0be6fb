/** W3: messages of 10 MB on 4 persistent connections. */
import { sendAsFastAsPossible } from './closed-loop.ts'
import { ONLY, type Workload } from './workload.ts'

export const w3: Workload = {
  id: 'W3',
  title: '10 MB messages on persistent connections',
  variants: ONLY,
  measure: (target) => sendAsFastAsPossible(target, 'W3', { connections: 4, bytes: 10_000_000, style: 'keep' }, 4),
}
