/** Which upstream certificates and TLS versions the proxy accepts. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as tls from 'node:tls'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { startScene } from '../../support/in-process/dial-rig.ts'
import { failsClosed } from '../../support/in-process/fail-closed.ts'
import { Names } from '../../support/in-process/resolver.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { connectClient, type Identity, type Peer, ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'
import { type CertificateRequest, makeAuthority, makeSelfSigned } from '../../support/tls/certificates.ts'
import { identityOf, isRefused, notAfterOf, secureWith, talks } from '../../support/tls/tls-upstream.ts'

const DAY_MS = 24 * 60 * 60 * 1000
let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

interface CertificateCase {
  readonly ids: string
  readonly what: string
  readonly host: string
  readonly request: CertificateRequest
  /** The issuer. Default: the authority that the proxy trusts. */
  readonly by?: 'itself' | 'another authority'
  /** OpenSSL's or Node's name of the error; absent if the certificate is accepted. */
  readonly detail?: string
}

const WRONG_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID'
const dayAgo = new Date(Date.now() - DAY_MS / 2)
const dayAhead = new Date(Date.now() + DAY_MS / 2)

const CERTIFICATES: readonly CertificateCase[] = [
  { ids: 'TLU-05', what: 'a good one', host: 'localhost', request: {} },
  { ids: 'TLU-05', what: 'a good one with an RSA key', host: 'localhost', request: { keyType: 'rsa' } },
  {
    ids: 'TLU-04',
    what: 'for another name',
    host: 'localhost',
    request: { dnsNames: ['other.example'] },
    detail: WRONG_NAME,
  },
  { ids: 'TLU-05', what: 'expired', host: 'localhost', request: { notAfter: dayAgo }, detail: 'CERT_HAS_EXPIRED' },
  {
    ids: 'TLU-05',
    what: 'not yet valid',
    host: 'localhost',
    request: { notBefore: dayAhead },
    detail: 'CERT_NOT_YET_VALID',
  },
  {
    ids: 'TLU-05',
    what: 'of an unknown authority',
    host: 'localhost',
    request: {},
    by: 'another authority',
    detail: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  },
  {
    ids: 'TLU-05',
    what: 'that is self-signed',
    host: 'localhost',
    request: {},
    by: 'itself',
    detail: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  },
  {
    ids: 'TLU-05',
    what: 'with the name only in its CN',
    host: 'localhost',
    request: { commonName: 'localhost', noSan: true },
    detail: WRONG_NAME,
  },
  { ids: 'TLU-05', what: 'with a wildcard', host: 'mail.one.test', request: { dnsNames: ['*.one.test'] } },
  {
    ids: 'TLU-05',
    what: 'with a wildcard that would have to match two labels',
    host: 'a.mail.one.test',
    request: { dnsNames: ['*.one.test'] },
    detail: WRONG_NAME,
  },
  { ids: 'TLU-05', what: 'for the configured address', host: '127.0.0.1', request: { ipAddresses: ['127.0.0.1'] } },
  {
    ids: 'TLU-05',
    what: 'for the address, if a name is configured',
    host: 'localhost',
    request: { commonName: 'localhost', ipAddresses: ['127.0.0.1'] },
    detail: WRONG_NAME,
  },
  {
    ids: 'TLU-05',
    what: 'for a name, if the address is configured',
    host: '127.0.0.1',
    request: { dnsNames: ['localhost'] },
    detail: WRONG_NAME,
  },
]

async function issue({ request, by }: CertificateCase): Promise<Identity> {
  if (by === 'itself') return identityOf(await makeSelfSigned(request))
  const authority = by === undefined ? trust.authority : await makeAuthority('Another Authority')
  return identityOf(await authority.issue(request))
}

describe('The certificate of the upstream', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const shown of CERTIFICATES) {
      const { ids, what, host, detail } = shown
      test(`${what}: ${detail ? `${detail}, 421` : 'accepted'} (${version}) (${ids})`, async () => {
        using _names = new Names({ localhost: ['127.0.0.1'], [host]: ['127.0.0.1'] })
        const identity = await issue(shown)
        const context = tls.createSecureContext({ ...identity, minVersion: version, maxVersion: version })
        if (detail) {
          const play = (peer: Peer) => isRefused(peer, context)
          const expected = { word: localReplies.UNTRUSTED, error: 'tls_untrusted', replyCode: 220 } as const
          await failsClosed({ what, host, play, detail, ...expected }, trust)
        } else {
          await using scene = await startScene(trust, { host })
          const { client, peer } = await scene.meet()
          await secureWith(peer, context)
          await talks(client, peer)
          const dial = scene.recorder.sessions[0]!.one('dial')
          assert.deepEqual([dial.error, dial.tlsProtocol, dial.resumed], [undefined, version, false])
          assert.equal(dial.certificateNotAfter, notAfterOf(identity))
        }
      })
    }
  }

  test('a private authority is trusted only if PROXY_UPSTREAM_CA_FILE names it (TLU-06)', async () => {
    const expected = { word: localReplies.UNTRUSTED, error: 'tls_untrusted', replyCode: 220 } as const
    const another = await makeTrust()
    const detail = 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
    const refused = { play: (peer: Peer) => isRefused(peer, tls.createSecureContext(trust.identity)), detail }
    await failsClosed({ what: 'no authority', ...refused, ...expected }, undefined)
    await failsClosed({ what: 'another authority', ...refused, ...expected }, another)
    another.remove()
    await using scene = await startScene(trust)
    const { client, peer } = await scene.meet()
    await secureWith(peer, tls.createSecureContext(trust.identity))
    await talks(client, peer)
  })

  test('is verified even if NODE_TLS_REJECT_UNAUTHORIZED=0 turns verification off in Node (R16)', async () => {
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    try {
      const expected = { word: localReplies.UNTRUSTED, error: 'tls_untrusted', replyCode: 220 } as const
      const play = (peer: Peer) => isRefused(peer, tls.createSecureContext(trust.identity))
      const detail = 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
      await failsClosed({ what: 'verification turned off in Node', play, detail, ...expected }, undefined)
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
    }
  })

  test('the proxy sends no client certificate, even if the upstream requests one (TLU-15)', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      await using scene = await startScene(trust)
      const { client, peer } = await scene.meet()
      const context = tls.createSecureContext({ ...trust.identity, minVersion: version, maxVersion: version })
      await secureWith(peer, context, { requestCert: true, rejectUnauthorized: false })
      assert.deepEqual(peer.tls?.getPeerCertificate(), {})
      await talks(client, peer)
    }
  })
})

describe('The version of TLS (R16)', () => {
  const OLD = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const

  test('versions older than 1.2 are refused (TLU-07)', async () => {
    const context = tls.createSecureContext({ ...trust.identity, ...OLD })
    const upstream = await ScriptedUpstream.start()
    const client = await connectClient({ port: upstream.port })
    const peer = await upstream.accept()
    const options = { ca: trust.authority.certPem, servername: 'localhost', ...OLD }
    await Promise.all([peer.secureAsServer(context), client.secureAsClient(options)])
    assert.equal(peer.tls?.getProtocol(), 'TLSv1.1', 'a client that allows 1.1 gets 1.1 from this upstream')
    client.destroy()
    await upstream.close()

    const play = (peer: Peer) => isRefused(peer, context)
    const expected = { word: localReplies.UNTRUSTED, error: 'tls_failed', replyCode: 220, detail: /^ERR_SSL_/ } as const
    await failsClosed({ what: 'TLS 1.1', play, ...expected }, trust)
  })
})
