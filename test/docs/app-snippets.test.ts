/**
 * Runs the code of docs/app-snippets.md: every app sends a message through a real proxy to a simulated AhaSend, and trusts
 * the proxy's certificate by the settings of docs/tls.md.
 *
 * The test of a missing app is skipped. With the variable CI set, it fails.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { unless } from '../support/programs/programs.ts'
import type { App } from './apps/app.ts'
import { APPS } from './apps/apps.ts'
import { AppStage, type Attempt, MAIL, type Mode, missing, versionOf } from './apps/stage.ts'
import { codeOf, readPage, replaced, rowsOf, sectionOf } from './page.ts'
import { needsOpenssl } from './shell.ts'
import { HOST, PORT, runtimes, trustOf } from './tls-page.ts'

const PAGE = readPage('app-snippets.md')
const SMTPS = 'smtps'
const SECTIONS = PAGE.filter(({ heading }) => heading !== SMTPS)
const WITHOUT = 'Without a certificate'
const WITH = 'With a certificate'
/** Go's net/smtp sends passwords without TLS only to localhost, so its section has no code without a certificate. */
const NEEDS_TLS = 'Go: net/smtp'

/** What the libraries write about a certificate from an unknown authority. */
const UNTRUSTED = /verify failed|verify (the first )?certificate|certificate problem|PKIX path building failed/
/** What they write about a certificate with another host name. */
const OTHER_HOST =
  /altnames|mismatch|did not match expected name|cannot validate certificate for|No subject alternative names|no alternative certificate/

/** Debian 12's version does not compare the host name. */
const IGNORES_HOST = 'swaks'

/** The versions of the installed apps. */
const VERSIONS = new Map(
  await Promise.all(APPS.map(async (app): Promise<[App, string | undefined]> => [app, await versionOf(app)])),
)

/** Skips a test whose app is missing. */
function needs(app: App) {
  return unless(VERSIONS.get(app) === undefined ? missing(app) : undefined)
}

/** The code of an app's section with this label. */
function codeWith(label: string, name: string): string {
  const found = sectionOf(PAGE, name).blocks.filter((block) => block.label === label)
  assert.equal(found.length, 1, `"${name}" has ${found.length} blocks "${label}"`)
  return found[0]!.code
}

/** The rows of the table of smtps for an app: what to replace, and by what. */
function smtpsRows(name: string) {
  return rowsOf(sectionOf(PAGE, SMTPS)).filter(([app]) => app === name)
}

/** The code for an smtps:// listener; undefined if the library supports none. */
function smtpsCode(name: string): string | undefined {
  const rows = smtpsRows(name)
  assert.ok(rows.length > 0, `the table of smtps has no row of ${name}`)
  if (rows.some(([, from]) => from === '')) return undefined
  return rows.reduce(
    (code, [, from = '', to = '']) => {
      const text = codeOf(from)
      assert.equal(code.split(text).length, 2, `"${text}" is not once in the code of ${name}`)
      return replaced(code, text, to === 'nothing' ? '' : codeOf(to))
    },
    codeWith(WITH, name),
  )
}

/** The codes of an app: without TLS, with STARTTLS and on an smtps:// listener. */
function codesOf(name: string): readonly (readonly [Mode, string])[] {
  const starttls = ['starttls', codeWith(WITH, name)] as const
  if (name === NEEDS_TLS) return [starttls]
  return [['plain', codeWith(WITHOUT, name)], starttls, ['smtps', smtpsCode(name)!]]
}

function assertAccepted({ outcome, messages }: Attempt): void {
  assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr)
  assert.deepEqual(
    messages.map(({ code, recipients }) => ({ code, recipients })),
    [{ code: 250, recipients: [MAIL.SMTP_TO] }],
  )
}

function assertRefused({ outcome, messages }: Attempt, reason: RegExp): void {
  assert.notEqual(outcome.code, 0)
  assert.notEqual(outcome.code, null)
  assert.match(outcome.stdout + outcome.stderr, reason)
  assert.deepEqual(messages, [])
}

describe('docs/app-snippets.md', () => {
  test('says of every app whether a test runs its code', () => {
    const tested = new Set(APPS.map(({ name }) => name))
    for (const { heading, text } of SECTIONS) {
      const [, mark] = /^\n\*(Tested|Not tested)\b/.exec(text) ?? []
      assert.equal(mark, tested.has(heading) ? 'Tested' : 'Not tested', heading)
    }
    const headings = SECTIONS.map(({ heading }) => heading)
    assert.deepEqual(
      [...tested].filter((name) => !headings.includes(name)),
      [],
    )
  })

  test('has the code of every app without and with a certificate, and nothing else', () => {
    for (const { heading, blocks } of SECTIONS) {
      const expected = heading === NEEDS_TLS ? [WITH] : [WITHOUT, WITH]
      assert.deepEqual(
        blocks.map(({ label }) => label),
        expected,
        heading,
      )
    }
  })

  test('has rows of smtps for every app, whose text is in its code', () => {
    for (const { heading } of SECTIONS) assert.equal(smtpsCode(heading) === undefined, heading === NEEDS_TLS)
    const names = new Set(rowsOf(sectionOf(PAGE, SMTPS)).map(([name]) => name))
    assert.deepEqual(
      [...names],
      SECTIONS.map(({ heading }) => heading),
    )
  })

  test('names the host and the port in each code', () => {
    for (const { blocks } of SECTIONS) {
      for (const { code } of blocks) assert.ok(code.includes(HOST) && code.includes(PORT), code)
    }
  })

  test('uses every runtime that docs/tls.md calls tested, and no other', () => {
    const used = new Set(APPS.map(({ runtime }) => runtime))
    for (const [runtime, tested] of runtimes()) {
      assert.equal(tested, used.has(runtime) ? 'tested' : 'not tested', runtime)
    }
  })

  for (const app of APPS) {
    const pinned = app.install !== undefined
    const [, version] = /^\n\*Tested with [^*]*?(\d+(?:\.\d+)+)/.exec(sectionOf(PAGE, app.name).text) ?? []
    if (version === undefined) continue
    // on another system than that of CI, Debian's packages have other versions
    const skip = pinned || process.env.CI ? needs(app) : { skip: 'the version is that of Debian 12' }
    test(`names the version of ${app.name} that the test runs: ${version}`, skip, () => {
      assert.ok(VERSIONS.get(app)?.startsWith(`${version}.`), `the test runs ${VERSIONS.get(app)}`)
    })
  }
})

describe('With the code of the page,', { concurrency: 2, ...needsOpenssl }, () => {
  let stage: AppStage
  before(async () => {
    stage = await AppStage.open()
  })
  after(() => stage?.close())

  for (const app of APPS) {
    const { name } = app
    test(`${name} sends in every mode that it supports`, needs(app), async () => {
      const env = trustOf(app.runtime, stage.directory)
      for (const [mode, code] of codesOf(name)) assertAccepted(await stage.send(app, code, mode, { env }))
    })

    test(`${name} refuses a certificate from an authority that it does not trust`, needs(app), async () => {
      assertRefused(await stage.send(app, codeWith(WITH, name), 'starttls'), UNTRUSTED)
    })

    if (name === IGNORES_HOST) continue
    test(`${name} refuses a certificate with another host name`, needs(app), async () => {
      const options = { env: trustOf(app.runtime, stage.directory), host: '127.0.0.1' }
      assertRefused(await stage.send(app, codeWith(WITH, name), 'starttls', options), OTHER_HOST)
    })
  }

  const app = APPS.find(({ name }) => name === NEEDS_TLS)!
  test(`${NEEDS_TLS} sends without TLS to localhost, and nowhere else`, needs(app), async () => {
    const code = codeWith(WITH, NEEDS_TLS)
    assertRefused(await stage.send(app, code, 'plain'), /unencrypted connection/)
    for (const host of ['localhost', '127.0.0.1']) assertAccepted(await stage.send(app, code, 'plain', { host }))
  })
})
