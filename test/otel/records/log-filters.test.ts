/** Runs the log filters that the pages and the runbooks document, exactly as they are written. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { run } from '../../clients/command.ts'
import { readPages } from '../../support/docs/documents.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { needsJq } from '../../support/programs/jq.ts'

/** The filters in a text, and the commands whose output they read: `npm start | jq ...`. */
function filtersIn(text: string): readonly (readonly [source: string, filter: string])[] {
  return [...text.matchAll(/(npm start|docker compose logs --no-log-prefix proxy) \| (jq [^`\n]*)/g)].map(
    ([, source = '', filter = '']) => [source, filter],
  )
}

/** A log line that every documented filter finds, and lines that are not JSON. */
const FAILED = { level: 'warn', msg: 'transaction', 'smtp.reply.code': 521, 'smtp.recipient.permfail': 1 }
const FOUND = {
  ...FAILED,
  'smtp.message.recipient_count': 41,
  'smtp.reply.cause': 'partially_queued',
}
const LOG = `
> ahasend-smtp-proxy@0.1.0 start
> node app/node-version.js && exec node --disable-sigusr1 app/entry.js

{"level":"info","msg":"start"}
PROXY_LISTEN: cannot listen on smtp://0.0.0.0:25: the port is taken
${JSON.stringify(FOUND)}
{"level":"warn","msg":"telemetry failed"}
`

const TEXTS = [...readPages()]

describe('a documented log filter', needsJq, () => {
  const documented = TEXTS.flatMap(([file, text]) =>
    filtersIn(text).map(([source, filter]) => ({ file, source, filter })),
  )

  test('is in docs/telemetry.md, for npm and for Compose, and in runbooks', () => {
    const sources = documented.flatMap(({ file, source }) => (file === 'docs/telemetry.md' ? [source] : []))
    assert.deepEqual(sources, ['npm start', 'docker compose logs --no-log-prefix proxy'])
    assert.ok(documented.length > 5)
  })

  for (const { file, source, filter } of documented) {
    test(`${file}: ${source} | ${filter} finds a line among others that are not JSON`, async () => {
      const { paths, remove } = writeTemporaryFiles({ log: LOG })
      const command = { file: 'sh', args: ['-c', filter], env: { PATH: process.env.PATH }, stdinFile: paths.log }
      const { code, stdout, stderr } = await run(command)
      remove()
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
      assert.equal(stdout.trim().split('\n').length, 1, stdout)
      assert.ok(LOG.includes(stdout.trim()), stdout)
      assert.notEqual(stdout, '')
    })
  }

  test('every use of jq is one of these filters', () => {
    const all = TEXTS.flatMap(([, text]) => text.match(/\bjq -/g) ?? [])
    assert.equal(documented.length, all.length)
  })
})
