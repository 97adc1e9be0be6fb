/** W1: one message of 2 KB per connection, on 20 connections at a time. */
import { sendAsFastAsPossible } from './closed-loop.ts'
import { ONLY, type Workload } from './workload.ts'

export const w1: Workload = {
  id: 'W1',
  title: 'one 2 KB message per connection',
  variants: ONLY,
  measure: (target) => sendAsFastAsPossible(target, 'W1', { connections: 20, bytes: 2048, style: 'each' }, 200),
}
