/**
 * Rewrites the goldens: `node test/support/dialogues/update-goldens.ts [topic/name ...]`, all scripts if none is named.
 * Read the diff before you commit it: a golden states what must happen, not what happened.
 */
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import { Stage } from '../in-process/stage.ts'
import { byStage, readScripts, type Script } from './dlg.ts'
import { linesOf, timedLinesOf } from './event-lines.ts'
import { DIALOGUES, merge, writeGolden } from './goldens.ts'
import { observe, segmentsOf } from './pure-rig.ts'
import { playOn } from './socket-rig.ts'
import { metricLinesOf, spanLinesOf } from './telemetry-rig.ts'

const names = process.argv.slice(2)
const scripts = readScripts(DIALOGUES).filter(({ name }) => names.length === 0 || names.includes(name))

for (const [kind, some] of byStage(scripts)) {
  const stage = await Stage.openFor(some[0]!)
  for (const script of some) await update(script, stage)
  await stage.close().catch((error: Error) => console.error(`${kind}: ${error.message}`))
}

async function update(script: Script, stage: Stage): Promise<void> {
  try {
    const played = script.rigs.includes('socket') ? await playOn(stage, script) : undefined
    const changed = writeGolden(script.name, 'events', eventLines(script, played))
    const counted = script.rigs.includes('telemetry') && played !== undefined
    const recounted = counted && writeGolden(script.name, 'metrics', await metricLinesOf([played]))
    const retraced = counted && writeGolden(script.name, 'spans', spanLinesOf([played]))
    if (changed || recounted || retraced) console.log(`changed: ${script.name}`)
  } catch (error) {
    console.error(`NOT written: ${script.name}: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}

function eventLines(script: Script, played: readonly SessionEvent[] | undefined): string[] {
  const alone = () => timedLinesOf(observe(segmentsOf(script, 'lines'), script.addresses))
  const timed = script.rigs.includes('pure') ? alone() : undefined
  if (played === undefined) return timed ?? []
  return timed === undefined ? linesOf(played) : merge(script.name, linesOf(played), timed)
}
