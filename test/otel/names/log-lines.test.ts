/** The table of log lines: it has every line that the code writes, with every field. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logFields, logLines } from '../../../otel/names/log-lines.ts'
import { attributes, details } from '../../../otel/names/names.ts'
import { ask } from '../../simulator/client.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { readDocument, sourceFiles } from '../../support/docs/documents.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { failTls, inBody, loggedIn, startBefore } from '../../support/processes/running-proxy.ts'
import { makeSelfSigned } from '../../support/tls/certificates.ts'

const ADD = 'add it to otel/names/log-lines.ts, then run `npm run docs`'

/** Lines whose `msg` the code puts together: certificate results, and notes about file descriptors. */
const COMPOSED = /^certificate (reloaded|unchanged)$| PROXY_MAX_SESSIONS$|^PROXY_MAX_SESSIONS /

/** The messages of log calls in the sources. */
function messagesInSources(): Set<string> {
  const calls = /(?:(?<!console)\.(?:debug|info|warn|error|fatal)|\[level\]|\bwarn)\(.*?'([^']+)'\)/g
  const texts = sourceFiles().map(readDocument)
  return new Set(texts.flatMap((text) => [...text.matchAll(calls)].map(([, message = '']) => message)))
}

test('the table has every line of the sources, and no other', () => {
  const written = messagesInSources()
  const known = Object.keys(logLines)
  assert.deepEqual(
    [...written].filter((message) => !known.includes(message)),
    [],
    ADD,
  )
  assert.deepEqual(
    known.filter((message) => !written.has(message) && !COMPOSED.test(message)),
    [],
    'remove it from otel/names/log-lines.ts',
  )
})

test('every field of a line is explained, and every explained field is in a line', () => {
  const explained = new Set([...Object.keys(attributes), ...Object.keys(details), ...Object.keys(logFields)])
  const used = new Set<string>(Object.values(logLines).flatMap(({ fields }) => [...fields]))
  for (const field of used) assert.ok(explained.has(field), field)
  const common = ['level', 'time', 'msg']
  assert.deepEqual(
    Object.keys(logFields).filter((field) => !used.has(field) && !common.includes(field)),
    [],
  )
})

test('every text is one or more sentences', () => {
  for (const { help } of Object.values(logLines)) assert.match(help, /^[A-Z`].*\.$/)
  for (const help of Object.values(logFields)) assert.match(help, /^[A-Z`].*\.$/)
})

/** The fields of a line that the table does not have. A line about a setting is a sentence without fields. */
function unknownFields(line: Readonly<Record<string, unknown>>): string[] {
  const { level: _, time: __, msg, ...fields } = line
  const known = Object.entries(logLines).find(([message]) => message === msg)?.[1].fields as
    | readonly string[]
    | undefined
  const nested = msg === 'session' && fields.dial ? unknownFields({ ...fields.dial, msg: 'dial failed' }) : []
  return [...Object.keys(fields).filter((field) => !known?.includes(field)), ...nested].map((key) => `${msg}: ${key}`)
}

test('the lines of a running proxy have only the fields of the table', async (context) => {
  const { certPem, keyPem } = await makeSelfSigned()
  const { paths, remove } = writeTemporaryFiles({ cert: certPem, key: keyPem })
  context.after(remove)
  await using simulator = await startSimulator({ faults: { '521-at-mail': { times: 1 } } })
  await using proxy = await startBefore(simulator, {
    PROXY_UPSTREAM: `smtp://127.0.0.1:1?tls=off,smtp://localhost:${simulator.port}`,
    PROXY_TLS_CERT_FILE: paths.cert,
    PROXY_TLS_KEY_FILE: paths.key,
    PROXY_RECORD_ADDRESSES: 'full',
    PROXY_LOG_LEVEL: 'debug',
    PROXY_DRAIN_TIMEOUT: '0s',
    PROXY_STOP_GRACE: '5s',
    PROXY_URL: 'of another program',
  })
  await failTls(proxy.port)
  const [refused, cut] = await loggedIn(proxy, 2)
  assert.match(await ask(refused!, 'MAIL FROM:<a@example.com>'), /^521 /)
  await inBody(cut!, 'cut')
  process.kill(proxy.pid, 'SIGHUP')
  await proxy.line(({ msg }) => msg === 'certificate unchanged')
  assert.equal(await proxy.stop(), 0)
  for (const client of [refused, cut]) client?.destroy()
  const seen = new Set(proxy.lines.map(({ msg }) => msg))
  for (const msg of ['start', 'transaction', 'session', 'dial failed', 'dialled', 'drain', 'stop'])
    assert.ok(seen.has(msg), msg)
  assert.deepEqual(proxy.lines.flatMap(unknownFields), [], ADD)
})
