/** All workloads, in the order of the report. */
import { w1 } from './w1.ts'
import { w2 } from './w2.ts'
import { w2p } from './w2p.ts'
import { w3 } from './w3.ts'
import { w4 } from './w4.ts'
import { w5 } from './w5.ts'
import { w6 } from './w6.ts'
import type { Workload } from './workload.ts'

export const WORKLOADS: readonly Workload[] = [w1, w2, w2p, w3, w4, w5, w6]
