/** Every package of package-lock.json has a license that the project allows. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Lock, mistakesOfLicenses, STATED_ELSEWHERE } from '../../release/licenses.ts'

const ROOT = join(import.meta.dirname, '../..')
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock

test('all packages have an allowed license', () => {
  assert.ok(Object.keys(lock.packages).length > 200)
  assert.deepEqual(mistakesOfLicenses(lock), [])
})

describe('A license', () => {
  const cases: readonly (readonly [license: string, isAllowed: boolean])[] = [
    ['MIT', true],
    ['(MIT OR GPL-3.0-only)', true],
    ['MIT AND ISC', true],
    ['MIT AND GPL-3.0-only', false],
    ['GPL-3.0-only', false],
    ['SEE LICENSE IN LICENSE', false],
    ['', false],
  ]
  for (const [license, isAllowed] of cases) {
    test(`"${license}" is ${isAllowed ? 'allowed' : 'reported'}`, () => {
      const mistakes = mistakesOfLicenses({ packages: { 'node_modules/one': { license } } })
      assert.equal(mistakes.length, isAllowed ? 0 : 1)
      if (!isAllowed) assert.match(mistakes.join(), /^node_modules\/one has the license /)
    })
  }

  test('that is missing is reported', () => {
    assert.deepEqual(mistakesOfLicenses({ packages: { 'node_modules/one': {} } }).length, 1)
  })
})

for (const [folder, license] of Object.entries(STATED_ELSEWHERE)) {
  test(`${folder} states the license ${license} in the old form`, () => {
    assert.ok(lock.packages[folder] !== undefined && lock.packages[folder].license === undefined, 'still needed')
    // an optional package that needs a compiler may be missing
    if (!existsSync(join(ROOT, folder))) return
    const { licenses } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'))
    assert.deepEqual(
      licenses.map(({ type }: { type: string }) => type),
      [license],
    )
  })
}
