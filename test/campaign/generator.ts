/** Creates the plan of a session from its seed alone, so that one session can be replayed. */
import { SeededRandom } from '../support/traffic/seeded-random.ts'
import { dialogueOf } from './dialogue.ts'
import { withFault } from './faults.ts'
import { type Plan, seedOf } from './plan.ts'

/** The plan of session `number` of the run with this seed. Half of the sessions have no fault. */
export function planOf(run: number, number: number): Plan {
  const seed = seedOf(run, number)
  const random = new SeededRandom(seed)
  const mode = random.one(['plain', 'offered', 'starttls', 'starttls', 'smtps'] as const)
  const upstreamTls = random.chance(0.6)
  const dialogue = dialogueOf(random.another(), number, mode)
  const faults = random.another()
  const cuts = { client: random.below(2 ** 32), upstream: random.below(2 ** 32) }
  const faulty = random.chance(0.5) ? withFault(faults, dialogue) : {}
  return { ...dialogue, ...faulty, seed, number, mode, upstreamTls, cuts }
}
