/**
 * Plays the scenarios, or those named as arguments, and prints the spans that the Collector received as trees with
 * times: `npm run traces [-- NAME ...]`. Needs the programs of `npm run programs`.
 */
import { collectorMissing } from '../otlp/collector.ts'
import { play, SCENARIOS, type Scenario } from './scenarios.ts'
import { printTree } from './trace-tree.ts'

const scenarios: Readonly<Record<string, Scenario>> = SCENARIOS
const names = process.argv.slice(2)
const unknown = names.filter((name) => scenarios[name] === undefined)
const problem =
  unknown.length > 0
    ? `no such scenario: ${unknown.join(', ')}. Scenarios: ${Object.keys(scenarios).join(', ')}`
    : collectorMissing()

if (problem === undefined) {
  for (const [name, scenario] of Object.entries(scenarios))
    if (names.length === 0 || names.includes(name)) await print(scenario)
} else {
  console.error(problem)
  process.exitCode = 2
}

async function print(scenario: Scenario): Promise<void> {
  const { app, spans } = await play(scenario)
  console.log(`${scenario.title}\nThe app received: ${app}\n\n${printTree(spans)}\n`)
}
