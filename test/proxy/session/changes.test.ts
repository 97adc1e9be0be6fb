/** The list of what the proxy changes, in docs/what-it-changes.md and on the status page, names every local reply. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CHANGES } from '../../../proxy/session/changes.ts'
import { BLOCKED_COMMANDS } from '../../../proxy/session/intercept.ts'
import { LOCAL_REPLIES } from '../../support/in-process/local-replies.ts'

const TEXT = CHANGES.join('\n')

for (const [name, { code }] of Object.entries(LOCAL_REPLIES)) {
  test(`the changes name ${name}: ${code}`, () => {
    assert.match(TEXT, new RegExp(`\\b${code}\\b`))
  })
}

/** What an earlier version of the list omitted. */
const NAMED: readonly (readonly [what: string, pattern: RegExp])[] = [
  [
    'a STARTTLS that is refused after AUTH or MAIL',
    /\b503\b.*after the client sent any unencrypted command.*AUTH or MAIL/,
  ],
  ['lines that are relayed when complete', /relays a command line when it is complete.*2,048 bytes/],
  ['ALPN without smtp', /ALPN protocols without `smtp`/],
  ['early talkers', /holds commands that a client sends before the greeting.* and relays them after the greeting/],
  ['the age of a greeting', /greeting may be up to 40 seconds old.* 20 seconds or more after the greeting/],
  ['refusals before TLS', /smtps:\/\/ listener.*before TLS.*without a reply/],
  ...[...BLOCKED_COMMANDS].map((verb) => [verb, new RegExp(`\\b${verb}\\b.* with 502`)] as const),
]

for (const [what, pattern] of NAMED) {
  test(`the changes name ${what}`, () => {
    assert.ok(
      CHANGES.some((change) => pattern.test(change)),
      String(pattern),
    )
  })
}
