/**
 * Runs real SMTP clients directly against a simulated AhaSend and through the proxy. The proxy is transparent when
 * AhaSend receives the same body both times.
 *
 * The test of a missing client is skipped. With the variable CI set, it fails.
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

/** Skips the test and returns false when the client is missing. Fails in CI. */
async function available(client: SmtpClient, t: TestContext): Promise<boolean> {
  if ((await installedVersion(client)) !== undefined) return true
  if (process.env.CI) assert.fail(missing(client))
  t.skip(missing(client))
  return false
}

/** Asserts that the client succeeded, and that AhaSend received the prepared message after AUTH PLAIN inside TLS. */
function assertDelivered(attempt: Attempt, client: SmtpClient): void {
  assert.deepEqual(attempt.outcome, { code: 0, stdout: '', stderr: '' })
  assert.match(attempt.auth[0]?.line ?? 'no AUTH', /^AUTH PLAIN\b/i)
  assert.ok(attempt.auth.every(({ tls }) => tls))
  assert.equal(attempt.authReplies.at(-1), 235)
  const body = bodyOnTheWire(rehearsal.message, client.addedLines)
  assert.deepEqual(attempt.bodies, [{ sha256: createHash('sha256').update(body).digest('hex'), code: 250 }])
}

describe('With STARTTLS and AUTH PLAIN (TLC-01, 3PT-05),', () => {
  for (const client of CLIENTS) {
    test(`${client.name} delivers the same message with an attachment directly and through the proxy`, async (t) => {
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

describe("To a proxy whose certificate is not from the client's authority,", () => {
  for (const client of CLIENTS) {
    test(`${client.name} sends neither credentials nor a message`, async (t) => {
      if (!(await available(client, t))) return
      const attempt = await rehearsal.attempt(client, 'proxy', 'wrong')
      assert.notEqual(attempt.outcome.code, 0)
      assert.notEqual(attempt.outcome.code, null)
      assert.deepEqual({ auth: attempt.auth, bodies: attempt.bodies }, { auth: [], bodies: [] })
    })
  }
})

describe('A client', () => {
  const env = { PATH: process.env.PATH }

  test('that hangs is killed', async () => {
    const hanging = { file: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'], env }
    assert.deepEqual(await run(hanging, 300), { code: null, stdout: '', stderr: 'killed after 300 ms' })
  })

  test('that cannot be started has no exit code', async () => {
    const { code, stderr } = await run({ file: '/nonexistent/client', args: [], env })
    assert.equal(code, null)
    assert.match(stderr, /ENOENT/)
  })

  test('that fails returns its own exit code and output', async () => {
    const failing = { file: process.execPath, args: ['-e', 'console.error("no"); process.exitCode = 7'], env }
    assert.deepEqual(await run(failing), { code: 7, stdout: '', stderr: 'no\n' })
  })
})
