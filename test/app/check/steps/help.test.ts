/** The links of the `check` command. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { HELP, runbook } from '../../../../app/check/steps/help.ts'

const ROOT = new URL('../../../../', import.meta.url)

/** The file of this repository that a link leads to. */
function fileOf(link: string): URL {
  const [, path = ''] = /^https:\/\/github\.com\/AhaSend\/ahasend-smtp-proxy\/blob\/main\/(.*)$/.exec(link) ?? []
  return new URL(path, ROOT)
}

for (const link of Object.values(HELP)) {
  test(`${link} exists`, () => assert.ok(existsSync(fileOf(link))))
}

test('the link to a runbook leads to its file', () => {
  assert.ok(existsSync(fileOf(runbook('AhaSendUnreachable'))))
})
