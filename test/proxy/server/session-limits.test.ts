/** Which clients may connect, and how many sessions they may have. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { BEHIND_A_BALANCER, isRefused, open, v1 } from '../../support/in-process/admission-rig.ts'
import type { ClientRig, GreetedSession } from '../../support/in-process/client-rig.ts'

const LIMIT = '421 4.3.2 ahasend-smtp-proxy: too many connections, try again later\r\n'
const NOT_ALLOWED = '421 4.7.0 ahasend-smtp-proxy: your address may not use this proxy\r\n'

describe('PROXY_ALLOW', () => {
  test('refuses other clients with a 421, and does not dial', async (context) => {
    const rig = await open(context, { PROXY_ALLOW: '192.0.2.0/24' })
    await isRefused(rig, await rig.client(), NOT_ALLOWED)
    await rig.quiet()
    const [session] = rig.recorder.sessions
    assert.equal(session?.one('session-close').reason, 'not_allowed')
    assert.deepEqual(session?.one('greeting').reply.cause, 'not_allowed')
  })

  test('closes without a reply on a listener with TLS from the first byte, and reports why', async (context) => {
    const rig = await open(context, { PROXY_ALLOW: '192.0.2.0/24' }, 'smtps')
    await isRefused(rig, await rig.client(), '')
    await rig.quiet()
    const [session] = rig.recorder.sessions
    assert.equal(session?.one('session-close').reason, 'not_allowed')
    assert.deepEqual(session?.all('greeting'), [], 'there was no reply to count')
  })

  test('applies to the address in a trusted PROXY header', async (context) => {
    const rig = await open(context, { ...BEHIND_A_BALANCER, PROXY_ALLOW: '192.0.2.0/24' })
    const session = await rig.greeted({ header: v1('192.0.2.7') })
    await session.end()
    const stranger = await rig.client()
    await stranger.send(v1('203.0.113.9'))
    await isRefused(rig, stranger, NOT_ALLOWED)
  })
})

describe('PROXY_MAX_SESSIONS', () => {
  test('refuses further clients; the others continue, and a new client is served after one has left (MEM-02)', async (context) => {
    const rig = await open(context, { PROXY_MAX_SESSIONS: '4' })
    const sessions: GreetedSession[] = []
    for (let count = 0; count < 4; count += 1) sessions.push(await rig.greeted())
    for (let count = 0; count < 3; count += 1) await isRefused(rig, await rig.client(), LIMIT)
    for (const session of sessions) await session.goesOn()
    await leaves(rig, sessions.shift()!)
    sessions.push(await rig.greeted())
    await isRefused(rig, await rig.client(), LIMIT)
    for (const session of sessions) await session.goesOn()
    await Promise.all(sessions.map((session) => session.end()))
    const reasons = rig.recorder.sessions.map((session) => session.one('session-close').reason)
    assert.equal(reasons.filter((reason) => reason === 'session_limit').length, 4)
  })

  test('closes without a reply on a listener with TLS from the first byte, and reports why', async (context) => {
    const rig = await open(context, { PROXY_MAX_SESSIONS: '1' }, 'smtps')
    const session = await rig.greeted()
    await isRefused(rig, await rig.client(), '')
    await session.end()
    const refused = rig.recorder.sessions[1]
    assert.equal(refused?.one('session-close').reason, 'session_limit')
    assert.deepEqual(refused?.all('greeting'), [], 'there was no reply to count')
  })

  test('does not count refused clients that linger (MEM-02)', async (context) => {
    const rig = await open(context, { PROXY_MAX_SESSIONS: '1' })
    const session = await rig.greeted()
    const lingering = [await rig.client(), await rig.client()]
    for (const client of lingering) assert.equal(await client.readReply(), LIMIT)
    await leaves(rig, session)
    const next = await rig.greeted()
    for (const client of lingering) client.destroy()
    await next.end()
  })
})

describe('PROXY_MAX_SESSIONS_PER_CLIENT', () => {
  const perClient = { ...BEHIND_A_BALANCER, PROXY_MAX_SESSIONS_PER_CLIENT: '2' }
  const greedy: readonly (readonly [what: string, mine: readonly string[], other: string])[] = [
    ['address', [v1('192.0.2.7'), v1('192.0.2.7'), v1('192.0.2.7')], v1('192.0.2.8')],
    [
      '/64 of IPv6',
      [v1('2001:db8::1', 'TCP6'), v1('2001:db8::2', 'TCP6'), v1('2001:db8::ffff:1', 'TCP6')],
      v1('2001:db8:0:1::1', 'TCP6'),
    ],
  ]
  for (const [what, [first = '', second = '', third = ''], other] of greedy) {
    test(`counts each ${what} separately (MEM-08)`, async (context) => {
      const rig = await open(context, perClient)
      const one = await rig.greeted({ header: first })
      const two = await rig.greeted({ header: second })
      const refused = await rig.client()
      await refused.send(third)
      await isRefused(rig, refused, LIMIT)
      const neighbour = await rig.greeted({ header: other })
      for (const session of [one, two, neighbour]) await session.goesOn()
      await leaves(rig, one)
      const again = await rig.greeted({ header: third })
      await Promise.all([two, neighbour, again].map((session) => session.end()))
    })
  }
})

/** Ends the session, and waits until the proxy has reported it. */
async function leaves(rig: ClientRig, { client, upstream, recorded }: GreetedSession): Promise<void> {
  const before = rig.server.activeSessions
  client.destroy()
  upstream.destroy()
  while (rig.server.activeSessions === before) await new Promise((turn) => setTimeout(turn, 1))
  // events are delivered at the end of their turn
  await endOfTurn()
  assert.equal(recorded.all('session-close').length, 1)
}
