import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Listener, readScripts } from './support/dlg.ts'
import { linesOf, withoutTime } from './support/event-lines.ts'
import { DIALOGUES, readGolden } from './support/goldens.ts'
import { Stage } from './support/in-process.ts'
import { playOn } from './support/socket-rig.ts'

const SCRIPTS = readScripts(DIALOGUES, 'socket')

for (const listener of ['plain', 'starttls', 'smtps'] satisfies Listener[]) {
  describe(`Through the real proxy, with a client on a ${listener} listener, both sides read each other's bytes`, () => {
    let stage: Stage

    before(async () => {
      stage = await Stage.open(listener)
    })

    after(async () => await stage.close())

    for (const script of SCRIPTS.filter((one) => one.listener === listener)) {
      test(`${script.name}: ${script.behaviour}`, async () => {
        const events = await playOn(stage, script)
        assert.deepEqual(linesOf(events), readGolden(script.name).map(withoutTime), `${stage.upstream.transcript}`)
      })
    }
  })
}
