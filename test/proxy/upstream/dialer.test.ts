/**
 * The preamble with an upstream that fails: greeting, EHLO, STARTTLS, handshake. No client byte is relayed before it
 * ends.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { MAX_REPLY_BYTES, MAX_REPLY_LINES } from '../../../proxy/smtp/reply.ts'
import { failsClosed, type UnfitUpstream } from '../../support/in-process/fail-closed.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import type { Peer } from '../../support/sockets/scripted-peers.ts'

const GREETING = '220 mail.example ESMTP\r\n'
const CAPABILITIES = '250-mail.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n'

/** The dial timeout for upstreams that stop answering: long enough to reach that point. */
const SHORT_MS = 2000

let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

/** An upstream that behaves until it answers the proxy's EHLO with this reply. */
function answersEhlo(reply: string): UnfitUpstream['play'] {
  return async (peer) => {
    await peer.send(GREETING)
    await peer.readLine()
    await peer.send(reply)
  }
}

/** An upstream that behaves until it receives STARTTLS, and then does this. */
function atStarttls(act: (peer: Peer) => Promise<unknown>): UnfitUpstream['play'] {
  return async (peer) => {
    await answersEhlo(CAPABILITIES)(peer)
    await peer.readUntil('STARTTLS\r\n')
    await act(peer)
  }
}

/** An upstream that answers STARTTLS with 220, waits for the ClientHello, and then does this. */
function atHandshake(act: (peer: Peer) => Promise<unknown>): UnfitUpstream['play'] {
  return atStarttls(async (peer) => {
    await peer.send('220 go\r\n')
    await peer.readBytes(5)
    await act(peer)
  })
}

const silence = async () => {}
const answer = (reply: string) => (peer: Peer) => peer.send(reply)
const fin = (peer: Peer) => peer.end()
const rst = (peer: Peer) => peer.reset()

interface Case extends UnfitUpstream {
  readonly ids: string
}

const NOT_OFFERED = { word: localReplies.UNTRUSTED, error: 'starttls_not_offered' } as const

const EHLO_CASES: readonly Case[] = [
  {
    ids: 'TLU-02',
    what: 'STARTTLS is not offered',
    play: answersEhlo('250-mail.example\r\n250 PIPELINING\r\n'),
    replyCode: 250,
    ...NOT_OFFERED,
  },
  {
    ids: 'TLU-02',
    what: 'only the first line of the EHLO reply contains STARTTLS',
    play: answersEhlo('250-STARTTLS\r\n250 PIPELINING\r\n'),
    replyCode: 250,
    ...NOT_OFFERED,
  },
  {
    ids: 'TLU-02',
    what: 'a longer keyword begins with STARTTLS',
    play: answersEhlo('250-mail.example\r\n250 STARTTLS-LATER\r\n'),
    replyCode: 250,
    ...NOT_OFFERED,
  },
  ...['502 what', '500 what', '554 no', '421 4.3.2 shutting down', '354 go', 'garbage'].map((reply) => ({
    ids: 'TLU-12',
    what: `the reply to EHLO is ${reply}, and HELO is not tried`,
    play: answersEhlo(`${reply}\r\n`),
    replyCode: Number.parseInt(reply, 10) || 0,
    ...NOT_OFFERED,
  })),
  {
    ids: 'TLU-12',
    what: 'a refusal of EHLO lists STARTTLS',
    play: answersEhlo('502-mail.example\r\n502 STARTTLS\r\n'),
    replyCode: 502,
    ...NOT_OFFERED,
  },
  {
    ids: 'TLU-03',
    what: 'a FIN instead of a reply to EHLO',
    play: async (peer) => {
      await answersEhlo('')(peer)
      await fin(peer)
    },
    word: localReplies.UNREACHABLE,
    error: 'connect_reset',
    replyCode: 220,
  },
  {
    ids: 'TMO-06',
    what: 'no reply to EHLO',
    play: answersEhlo(''),
    dialTimeoutMs: SHORT_MS,
    word: localReplies.UNTRUSTED,
    error: 'tls_failed',
    replyCode: 220,
  },
  {
    ids: 'TLU-03',
    what: 'the reply to EHLO has too many bytes',
    play: answersEhlo(`250-${'x'.repeat(MAX_REPLY_BYTES)}`),
    word: localReplies.UNTRUSTED,
    error: 'starttls_not_offered',
    replyCode: 0,
  },
  {
    ids: 'TLU-03',
    what: 'the reply to EHLO has too many lines',
    play: answersEhlo('250-x\r\n'.repeat(MAX_REPLY_LINES + 1)),
    word: localReplies.UNTRUSTED,
    error: 'starttls_not_offered',
    replyCode: 0,
  },
]

const REFUSED = { word: localReplies.UNTRUSTED, error: 'starttls_refused' } as const
const LOST = { word: localReplies.UNREACHABLE, error: 'connect_reset', replyCode: 250 } as const

const STARTTLS_CASES: readonly Case[] = [
  ...['454 later', '502 what', '501 no', '354 go', '250 ok', '421 busy', '220-go\r\n554 no', 'garbage'].map(
    (reply) => ({
      ids: 'TLU-03',
      what: `the reply to STARTTLS is ${JSON.stringify(reply)}`,
      play: atStarttls(answer(`${reply}\r\n`)),
      replyCode: Number(/(\d{3}) [^\r]*$/.exec(reply)?.[1] ?? 0),
      ...REFUSED,
    }),
  ),
  { ids: 'TLU-03', what: 'a FIN instead of a reply to STARTTLS', play: atStarttls(fin), ...LOST },
  {
    ids: 'TLU-03',
    what: 'an RST instead of a reply to STARTTLS',
    play: atStarttls(rst),
    ...LOST,
    detail: 'ECONNRESET',
  },
  {
    ids: 'TLU-03',
    what: 'half a 220 to STARTTLS, and a FIN',
    play: atStarttls(async (peer) => {
      await peer.send('220 go')
      await peer.end()
    }),
    ...LOST,
  },
  {
    ids: 'TMO-06',
    what: 'no reply to STARTTLS',
    play: atStarttls(silence),
    dialTimeoutMs: SHORT_MS,
    word: localReplies.UNTRUSTED,
    error: 'tls_failed',
    replyCode: 250,
  },
]

const INJECTED = { word: localReplies.UNTRUSTED, error: 'starttls_injection' } as const

const INJECTION_CASES: readonly Case[] = [
  {
    ids: 'TLU-08',
    what: 'a whole reply after the 220',
    play: atStarttls(answer('220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n')),
    replyCode: 220,
    ...INJECTED,
  },
  {
    ids: 'TLU-08',
    what: 'an unfinished line after the 220, which would become part of the first reply inside TLS',
    play: atStarttls(answer('220 go\r\n250-evil')),
    replyCode: 220,
    ...INJECTED,
  },
  {
    ids: 'TLU-08',
    what: 'one byte after the 220',
    play: atStarttls(answer('220 go\r\n\r')),
    replyCode: 220,
    ...INJECTED,
  },
  {
    ids: 'TLU-08',
    what: 'the reply to STARTTLS arrives with the reply to EHLO',
    play: answersEhlo(`${CAPABILITIES}220 go\r\n`),
    replyCode: 250,
    ...INJECTED,
  },
  {
    ids: 'TLU-08',
    what: 'the replies to EHLO and STARTTLS arrive with the greeting',
    play: (peer) => peer.send(`${GREETING}${CAPABILITIES}220 go\r\n`),
    replyCode: 220,
    ...INJECTED,
  },
  {
    ids: 'TLU-08',
    what: 'an unencrypted reply in its own segment after the 220',
    play: atHandshake(answer('250-evil\r\n250 AUTH PLAIN\r\n')),
    word: localReplies.UNTRUSTED,
    error: 'tls_failed',
    detail: /^ERR_SSL_/,
    replyCode: 220,
  },
]

const FAILED = { word: localReplies.UNTRUSTED, error: 'tls_failed', replyCode: 220 } as const

const HANDSHAKE_CASES: readonly Case[] = [
  {
    ids: 'TLU-09',
    what: 'no answer in the handshake',
    play: atHandshake(silence),
    dialTimeoutMs: SHORT_MS,
    ...FAILED,
  },
  {
    ids: 'TLU-09',
    what: 'the handshake stops in the middle of a record',
    play: atHandshake(answer(Buffer.from('1603030100020000', 'hex').toString('latin1'))),
    dialTimeoutMs: SHORT_MS,
    ...FAILED,
  },
  {
    ids: 'TLU-10',
    what: 'the upstream sends the alert handshake_failure',
    play: atHandshake(answer('\x15\x03\x03\x00\x02\x02\x28')),
    detail: /^ERR_SSL_.*HANDSHAKE_FAILURE$/,
    ...FAILED,
  },
  {
    ids: 'TLU-10',
    what: 'the upstream ends the handshake with close_notify and a FIN',
    play: atHandshake(async (peer) => {
      await peer.send('\x15\x03\x03\x00\x02\x01\x00')
      await peer.end()
    }),
    detail: /^(?:ERR_SSL_.*)?$/,
    ...FAILED,
  },
  { ids: 'TLU-10', what: 'a FIN in the handshake', play: atHandshake(fin), ...FAILED },
  { ids: 'TLU-10', what: 'an RST in the handshake', play: atHandshake(rst), detail: 'ECONNRESET', ...FAILED },
]

describe('if the upstream cannot be trusted, the client gets a reply and none of its bytes are relayed (R8)', () => {
  for (const failing of [...EHLO_CASES, ...STARTTLS_CASES, ...INJECTION_CASES, ...HANDSHAKE_CASES]) {
    test(`${failing.what} (${failing.ids})`, async () => {
      const { phases, at, end, resumed } = await failsClosed(failing, trust)
      assert.deepEqual(Object.keys(phases), ['resolve', 'connect', 'greeting', 'starttls', 'total'])
      const total = end - at
      assert.equal(phases.total, total)
      assert.equal(resumed, false)
      if (failing.dialTimeoutMs) assert.ok(total >= failing.dialTimeoutMs - 5 && total < failing.dialTimeoutMs + 5000)
    })
  }
})
