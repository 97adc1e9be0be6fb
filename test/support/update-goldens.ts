/**
 * Rewrites the golden events: `node test/support/update-goldens.ts [name ...]`, all scripts unless some are named. Read
 * the difference like prose before it is committed: a golden says what must happen, not what happened.
 */
import { type Listener, readScripts, type Script } from './dlg.ts'
import { linesOf, timedLinesOf } from './event-lines.ts'
import { DIALOGUES, merge, readGolden, writeGolden } from './goldens.ts'
import { Stage } from './in-process.ts'
import { observe, segmentsOf } from './pure-rig.ts'
import { play } from './socket-rig.ts'

const names = process.argv.slice(2)
const scripts = readScripts(DIALOGUES).filter(({ name }) => names.length === 0 || names.includes(name))

for (const listener of ['plain', 'starttls', 'smtps'] satisfies Listener[]) {
  const stage = await Stage.open(listener)
  for (const script of scripts.filter((one) => one.listener === listener)) await update(script, stage)
  await stage.close().catch((error: Error) => console.error(`${listener}: ${error.message}`))
}

async function update(script: Script, stage: Stage): Promise<void> {
  try {
    const lines = await linesFor(script, stage)
    const changed = lines.join('\n') !== readGolden(script.name).join('\n')
    if (changed) writeGolden(script.name, lines)
    if (changed) console.log(`changed: ${script.name}`)
  } catch (error) {
    console.error(`NOT written: ${script.name}: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}

async function linesFor(script: Script, stage: Stage): Promise<string[]> {
  const timed = script.rigs.includes('pure') ? timedLinesOf(observe(segmentsOf(script, 'lines'))) : undefined
  if (!script.rigs.includes('socket')) return timed ?? []
  const session = await stage.connect()
  try {
    await play(script, session)
    const relayed = linesOf(await session.events())
    return timed ? merge(script.name, relayed, timed) : relayed
  } finally {
    session.client.destroy()
    session.upstream.destroy()
  }
}
