/** The manual page: nothing is missing, and the two programs that show manual pages find no mistake in it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { COMMAND_TEXTS } from '../../../app/command-texts.ts'
import { REHEARSAL_TEXTS } from '../../../app/rehearsal.ts'
import { manPage } from '../../../docs/generate/man-page.ts'
import { SECTIONS } from '../../../docs/generate/settings.ts'
import { temporaryDirectory } from '../../support/files/temporary-files.ts'
import { installed } from '../../support/programs/installed.ts'
import { unless } from '../../support/programs/programs.ts'

const PAGE = manPage()

/** What a program writes about a page: its output and its errors. */
function shown(page: string, command: string, ...args: readonly string[]): string {
  using directory = temporaryDirectory()
  const file = join(directory.path, 'page.8')
  writeFileSync(file, page)
  const env = { PATH: process.env.PATH, LANG: 'C.UTF-8', MANWIDTH: '80' }
  const { stdout, stderr } = spawnSync(command, [...args, file], { encoding: 'utf8', env })
  return stdout + stderr
}

const lint = (page: string) => shown(page, 'mandoc', '-Tlint', '-W', 'warning')

test('has every command', () => {
  for (const { name } of [...Object.values(COMMAND_TEXTS), ...REHEARSAL_TEXTS])
    assert.match(
      PAGE,
      new RegExp(`^\\.B ${(name || '(nothing)').replace(/[-()]/g, (c) => (c === '-' ? '\\\\-' : `\\${c}`))}( |$)`, 'm'),
    )
})

test('has every setting of the proxy, its telemetry and the probe, with its default', () => {
  for (const { variable, default: value } of [...SECTIONS.proxy, ...SECTIONS.opentelemetry, ...SECTIONS.probe].flatMap(
    ({ rows }) => rows,
  )) {
    const [, entry] = new RegExp(`^\\.B ${variable}\\n((?:(?!\\.TP|\\.S).*\\n)+)`, 'm').exec(PAGE) ?? []
    assert.ok(entry, variable)
    assert.equal(entry.includes('\nDefault: '), value !== '', variable)
  }
})

// a date in a generated file would change with each run
const NO_DATE = /^mandoc: \S+: WARNING: missing date, using "": TH$/

test('mandoc finds no mistake', unless(installed('mandoc')), () => {
  const found = lint(PAGE).trim().split('\n')
  assert.deepEqual(
    found.filter((each) => !NO_DATE.test(each)),
    [],
  )
  assert.match(lint(`${PAGE}.SH EMPTY\n.PP\n.unknown\n`), /unknown/, 'mandoc would report a mistake')
})

test('man shows it without a warning', unless(installed('man'), installed('groff')), () => {
  const text = shown(PAGE, 'man', '--warnings', '--local-file')
  assert.doesNotMatch(text, /warning|error:/)
  assert.match(text, /PROXY_LISTEN\n +Addresses to listen on/)
  assert.match(shown(`${PAGE}.unknown\n`, 'man', '--warnings', '--local-file'), /warning/, 'man would report a mistake')
})
