/** W2: messages of 2 KB on 20 persistent connections, one command at a time. */
import { sendAsFastAsPossible } from './closed-loop.ts'
import { ONLY, type Workload } from './workload.ts'

export const w2: Workload = {
  id: 'W2',
  title: '2 KB messages on persistent connections',
  variants: ONLY,
  measure: (target) => sendAsFastAsPossible(target, 'W2', { connections: 20, bytes: 2048, style: 'keep' }, 400),
}
