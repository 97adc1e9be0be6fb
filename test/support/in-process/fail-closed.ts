import assert from 'node:assert/strict'
import type { DialError } from '../../../proxy/events/closed-sets.ts'
import type { Dial } from '../../../proxy/events/dial.ts'
import type { LocalReply } from '../../../proxy/session/local-replies.ts'
import { type Peer, ScriptedUpstream } from '../sockets/scripted-peers.ts'
import { startDialRig } from './dial-rig.ts'
import { OpenResources } from './open-resources.ts'
import type { Trust } from './trust.ts'

/** What the client sends before the greeting. No byte of it may reach an upstream whose dial fails. */
const EARLY = 'EHLO app.example\r\nAUTH PLAIN AGFwcABzZWNyZXQ=\r\n'

/** Everything that the proxy itself may send before TLS records begin. */
const PREAMBLE = 'EHLO [127.0.0.1]\r\nSTARTTLS\r\n'

/** The first byte of a TLS record of a handshake (RFC 8446 5.1). */
const HANDSHAKE = 0x16

/** An upstream that no client byte may reach. */
export interface UnfitUpstream {
  readonly what: string
  /** Plays the upstream until it has sent everything. */
  play(peer: Peer): Promise<void>
  /** What the client must be told. */
  readonly word: LocalReply
  /** What the telemetry must say. */
  readonly error: DialError
  readonly detail?: string | RegExp
  readonly replyCode?: number
  /** The upstream's host name in PROXY_UPSTREAM. Default `localhost`. */
  readonly host?: string
  /** PROXY_DIAL_TIMEOUT. Default 10 s: far more than a test takes, so that only the upstream can end the dial. */
  readonly dialTimeoutMs?: number
}

/**
 * Asserts that the dial fails as described, that the client reads the local reply, and that no byte and no resource
 * leaks.
 */
export async function failsClosed(upstream: UnfitUpstream, trust: Trust | undefined): Promise<Dial> {
  using resources = new OpenResources()
  const dial = await refused(upstream, trust)
  await resources.allClosed(upstream.what)
  assert.equal(dial.error, upstream.error)
  assert.equal(dial.replyCode, upstream.replyCode)
  if (upstream.detail instanceof RegExp) assert.match(dial.detail ?? '', upstream.detail)
  else assert.equal(dial.detail, upstream.detail)
  return dial
}

async function refused(
  { play, word, host, dialTimeoutMs = 10_000 }: UnfitUpstream,
  trust: Trust | undefined,
): Promise<Dial> {
  const scripted = await ScriptedUpstream.start()
  try {
    await using rig = await startDialRig([`${host ?? 'localhost'}:${scripted.port}`], trust, {
      env: { PROXY_DIAL_TIMEOUT: `${dialTimeoutMs}ms` },
    })
    const client = await rig.connect(scripted.transcript)
    await client.send(EARLY)
    const peer = await scripted.accept()
    await play(peer)
    await readsLocalReply(client, word)
    await peer.closed()
    assertSilence(peer)
    const session = await rig.recorder.closed()
    assert.equal(scripted.connections, 1, 'the proxy does not try again')
    assert.deepEqual(
      // the client sends early; whether the proxy read that before the dial ended depends on microseconds
      session.events.map((event) => event.type).filter((type) => type !== 'early-talk'),
      ['session-open', 'dial', 'greeting', 'session-close'],
    )
    assert.deepEqual(session.one('greeting').reply, factsOf(word))
    assert.equal(session.one('session-close').reason, 'dial_failed')
    assert.equal(session.one('session-close').transmit, 0)
    return session.one('dial')
  } finally {
    await scripted.close()
  }
}

async function readsLocalReply(client: Peer, word: LocalReply): Promise<void> {
  assert.equal(await client.readReply(), word.bytes.toString('latin1'))
  assert.equal(await client.closed(), 'fin')
  assert.equal(client.log.length, word.bytes.length, 'one reply and nothing else')
  await client.end()
}

/** Inside TLS the proxy sends nothing of its own. Before TLS it sends only its preamble. */
function assertSilence(peer: Peer): void {
  const received = peer.log.all
  if (peer.tls) return assert.equal(received.toString(), '', 'nothing inside TLS')
  assert.equal(received.toString('latin1', 0, PREAMBLE.length), PREAMBLE.slice(0, received.length))
  const records = received.subarray(PREAMBLE.length)
  if (records.length > 0) assert.equal(records[0], HANDSHAKE, records.toString('latin1'))
  assert.ok(!records.includes('app.example') && !records.includes('AUTH PLAIN'))
}

function factsOf({ code, enhancedCode, cause }: LocalReply): object {
  return { code, enhancedCode, cause, origin: 'proxy' }
}
