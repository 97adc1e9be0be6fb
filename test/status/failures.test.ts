/** The last refusals and failures, from the records of messages and sessions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import pino from 'pino'
import { uncounted } from '../../otel/export/losses.ts'
import { Log } from '../../otel/records/log.ts'
import { createRecords } from '../../otel/records/recorder.ts'
import { clientNetwork } from '../../proxy/net/networks.ts'
import { FAILURES, Failures } from '../../status/failures.ts'
import { reply, SessionStory } from '../support/telemetry/session-events.ts'

const DISABLED = reply(521, { cause: 'account_disabled', enhancedCode: '5.3.2' })

function failuresOf(...stories: readonly SessionStory[]): Failures {
  const failures = new Failures(clientNetwork)
  const log = new Log(pino({ level: 'silent' }), uncounted)
  const records = createRecords({ log, also: [failures], recordAddresses: 'none' })
  for (const story of stories) story.tell(records)
  return failures
}

test('a refused message: when, which app, which command, which reply', () => {
  const story = new SessionStory().greeted().mail().rcpt().data()
  const [failure] = failuresOf(story.refused('END-OF-MESSAGE', DISABLED, 9).closed('quit')).reports()
  const { at, sessionId, ...rest } = failure!
  assert.ok(at > 1_000_000)
  assert.equal(sessionId, 'session-1')
  assert.deepEqual(rest, {
    app: 'billing',
    client: '192.0.2.0/24',
    server: 'send.example',
    command: 'END-OF-MESSAGE',
    code: 521,
    enhancedCode: '5.3.2',
    cause: 'account_disabled',
    error: '521',
    outcome: 'permfail',
  })
})

test('a message in doubt has no reply', () => {
  const story = new SessionStory().greeted().mail().rcpt().data().inDoubt('upstream_lost', 9)
  const [failure] = failuresOf(story.closed('upstream_reset')).reports()
  assert.deepEqual([failure?.code, failure?.error, failure?.outcome], [undefined, 'upstream_lost', 'in_doubt'])
})

test('a session that was refused before a message', () => {
  const [failure] = failuresOf(new SessionStory().greeted(DISABLED).closed('upstream_closed')).reports()
  assert.deepEqual([failure?.command, failure?.code, failure?.outcome], ['CONNECT', 521, undefined])
})

test('what is accepted, given up or idle is no failure', () => {
  const idle = reply(421, { cause: 'idle_timeout' })
  const failures = failuresOf(
    new SessionStory().greeted().mail().rcpt().data().accepted(9).mail().reset().closed('quit'),
    new SessionStory().greeted().exchange('UNSOLICITED', idle).closed('upstream_421'),
  )
  assert.deepEqual(failures.reports(), [])
})

test('failures of the probe are not kept', () => {
  const failures = failuresOf(
    new SessionStory({ clientName: 'probe' }).greeted(DISABLED).closed('upstream_closed'),
    new SessionStory({ clientName: 'probe' }).greeted().mail().refused('MAIL', DISABLED).closed('quit'),
  )
  assert.deepEqual(failures.reports(), [])
})

test(`only the last ${FAILURES} are kept, the newest first`, () => {
  const stories = Array.from({ length: FAILURES + 5 }, (_, number) =>
    new SessionStory({ at: 1_000_000 + number, sessionId: `session-${number}` }).greeted(DISABLED).closed('quit'),
  )
  const reports = failuresOf(...stories).reports()
  assert.equal(reports.length, FAILURES)
  assert.deepEqual([reports[0]?.sessionId, reports.at(-1)?.sessionId], ['session-54', 'session-5'])
})

test('refused clients are not kept here, so that a port scan pushes no refused message off the page', () => {
  const refused = reply(421, { cause: 'not_allowed', origin: 'proxy', enhancedCode: '4.7.0' })
  const stories = [
    new SessionStory().greeted(refused).closed('not_allowed'),
    new SessionStory().closed('session_limit'),
    new SessionStory().closed('proxy_header'),
  ]
  assert.deepEqual(failuresOf(...stories).reports(), [])
})
