/** W2p: as W2, pipelined: the client writes a body together with MAIL, RCPT and DATA of the next message. */
import { sendAsFastAsPossible } from './closed-loop.ts'
import { ONLY, type Workload } from './workload.ts'

export const w2p: Workload = {
  id: 'W2p',
  title: '2 KB messages on persistent connections, pipelined',
  variants: ONLY,
  cannot: ({ id }) =>
    id === 'haraka' ? 'Haraka answers 503 to commands that follow a body in the same write' : undefined,
  measure: (target) => sendAsFastAsPossible(target, 'W2p', { connections: 20, bytes: 2048, style: 'pipeline' }, 400),
}
