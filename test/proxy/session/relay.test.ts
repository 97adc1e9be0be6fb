import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { byStage, readScripts } from '../../support/dialogues/dlg.ts'
import { linesOf, withoutTime } from '../../support/dialogues/event-lines.ts'
import { DIALOGUES, readGolden } from '../../support/dialogues/goldens.ts'
import { playOn } from '../../support/dialogues/socket-rig.ts'
import { Stage } from '../../support/in-process/stage.ts'

const SCRIPTS = readScripts(DIALOGUES, 'socket')

for (const [kind, scripts] of byStage(SCRIPTS)) {
  describe(`The real proxy relays each side's bytes to the other (listener: ${kind})`, () => {
    let stage: Stage

    before(async () => {
      stage = await Stage.openFor(scripts[0]!)
    })

    after(async () => await stage.close())

    for (const script of scripts) {
      test(`${script.name}: ${script.behaviour}`, async () => {
        const events = await playOn(stage, script)
        assert.deepEqual(linesOf(events), readGolden(script.name).map(withoutTime), `${stage.upstream.transcript}`)
      })
    }
  })
}
