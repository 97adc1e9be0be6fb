/**
 * Clients that applications use, each run twice: straight to a simulated AhaSend, and through the proxy. The proxy is
 * transparent when AhaSend receives the same body both times.
 *
 * A client that is not installed is skipped by name; in CI, where the variable CI is set, it fails.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, type TestContext, test } from 'node:test'
import { CLIENTS, type SmtpClient } from './clients.ts'
import { run } from './command.ts'
import { bodyOnTheWire } from './message.ts'
import { type Attempt, installedVersion, missing, type Rehearsal, rehearse } from './rig.ts'

let rehearsal: Rehearsal
before(async () => {
  rehearsal = await rehearse()
})
after(() => rehearsal?.close())

/** False, and the test skipped, when the client is missing; in CI it throws instead. */
async function available(client: SmtpClient, t: TestContext): Promise<boolean> {
  if ((await installedVersion(client)) !== undefined) return true
  if (process.env.CI) assert.fail(missing(client))
  t.skip(missing(client))
  return false
}

/** The client was content, and AhaSend received the prepared message, after AUTH PLAIN and inside TLS. */
function assertDelivered(attempt: Attempt, client: SmtpClient): void {
  assert.deepEqual(attempt.outcome, { code: 0, stdout: '', stderr: '' })
  assert.match(attempt.auth[0]?.line ?? 'no AUTH', /^AUTH PLAIN\b/i)
  assert.ok(attempt.auth.every(({ tls }) => tls))
  assert.equal(attempt.authReplies.at(-1), 235)
  const body = bodyOnTheWire(rehearsal.message, client.addedLines)
  assert.deepEqual(attempt.bodies, [{ sha256: createHash('sha256').update(body).digest('hex'), code: 250 }])
}

describe('a message with an attachment, by STARTTLS and AUTH PLAIN (TLC-01, 3PT-05)', () => {
  for (const client of CLIENTS) {
    test(`${client.name} delivers the same body with and without the proxy`, async (t) => {
      if (!(await available(client, t))) return
      const direct = await rehearsal.attempt(client, 'direct')
      assertDelivered(direct, client)
      const proxied = await rehearsal.attempt(client, 'proxy')
      assertDelivered(proxied, client)
      assert.deepEqual(proxied.auth, direct.auth)
      assert.deepEqual(proxied.authReplies, direct.authReplies)
    })
  }
})

describe("a proxy whose certificate is not from the client's authority", () => {
  for (const client of CLIENTS) {
    test(`${client.name} gives nothing to it`, async (t) => {
      if (!(await available(client, t))) return
      const attempt = await rehearsal.attempt(client, 'proxy', 'wrong')
      assert.notEqual(attempt.outcome.code, 0)
      assert.notEqual(attempt.outcome.code, null)
      assert.deepEqual({ auth: attempt.auth, bodies: attempt.bodies }, { auth: [], bodies: [] })
    })
  }
})

describe('running a client', () => {
  const env = { PATH: process.env.PATH }

  test('one that hangs is killed', async () => {
    const hanging = { file: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'], env }
    assert.deepEqual(await run(hanging, 300), { code: null, stdout: '', stderr: 'killed after 300 ms' })
  })

  test('one that cannot be started has no exit code', async () => {
    const { code, stderr } = await run({ file: '/nonexistent/client', args: [], env })
    assert.equal(code, null)
    assert.match(stderr, /ENOENT/)
  })

  test('one that fails does so with its own exit code and words', async () => {
    const failing = { file: process.execPath, args: ['-e', 'console.error("no"); process.exitCode = 7'], env }
    assert.deepEqual(await run(failing), { code: 7, stdout: '', stderr: 'no\n' })
  })
})
