/**
 * Plays the trace stories and prints what the Collector received, as trees with times: `npm run traces`, or with the
 * names of some stories. Needs the programs of `npm run programs`.
 */
import { collectorMissing } from '../otlp/collector.ts'
import { STORIES, type Story, tell } from './scenarios.ts'
import { printTree } from './trace-tree.ts'

const stories: Readonly<Record<string, Story>> = STORIES
const names = process.argv.slice(2)
const unknown = names.filter((name) => stories[name] === undefined)
const problem =
  unknown.length > 0
    ? `no such story: ${unknown.join(', ')}. Stories: ${Object.keys(stories).join(', ')}`
    : collectorMissing()

if (problem === undefined) {
  for (const [name, story] of Object.entries(stories))
    if (names.length === 0 || names.includes(name)) await print(story)
} else {
  console.error(problem)
  process.exitCode = 2
}

async function print(story: Story): Promise<void> {
  const { app, spans } = await tell(story)
  console.log(`${story.title}\nThe app was told: ${app}\n\n${printTree(spans)}\n`)
}
