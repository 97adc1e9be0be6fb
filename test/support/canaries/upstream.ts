/** What an upstream can send, with a canary in every place: in replies, and instead of a preamble or a reply. */

import type { Identity, Peer } from '../sockets/scripted-peers.ts'
import { makeSelfSigned } from '../tls/certificates.ts'
import type { Scene } from './client.ts'
import type { CanaryStage } from './stage.ts'

/** Sessions in which the upstream sends canaries. */
export const upstreamScenes: Readonly<Record<string, Scene>> = {
  async 'an EHLO reply inside TLS'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    const lines = [
      `${canaries.at('name in an EHLO reply')} ${canaries.at('greeting in an EHLO reply')}`,
      `${canaries.at('keyword in an EHLO reply').toUpperCase()} ${canaries.at('parameter in an EHLO reply')}`,
      `AUTH PLAIN ${canaries.at('mechanism in an EHLO reply').toUpperCase()} SCRAM-${canaries.at('mechanism that binds')}-PLUS`,
      `AUTH GS2-${canaries.at('mechanism of the family GS2')}`,
      `XCLIENT ${canaries.at('parameter of a keyword that is removed')}`,
    ]
    await call.ask('EHLO x', [...lines.map((line) => `250-${line}`), '250 8BITMIME'].join('\r\n'))
    call.end()
  },

  async replies(stage) {
    const call = await stage.call()
    for (const line of ['RSET', 'NOOP', 'VRFY x', 'HELP', 'MAIL FROM:<>', 'RCPT TO:<b@example.net>'])
      await call.ask(line, `250 2.0.0 ${stage.canaries.at(`reply to ${line.split(' ')[0]}`)}`)
    await call.ask('RCPT TO:<c@example.net>', `553 5.1.1 ${stage.canaries.at('refusal of a recipient')}`)
    await call.ask('DATA', `354 ${stage.canaries.at('reply to DATA')}`)
    await call.says('', '.')
    await call.hears(`554 5.7.1 ${stage.canaries.at('refusal of a message')}`)
    await call.ask('QUIT', `221 ${stage.canaries.at('reply to QUIT')}`)
    call.end()
  },

  async 'codes and lines of replies'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    const odd = [
      `550 5.${canaries.at('subject of an enhanced code')}.1 no`,
      `550 5.1.${canaries.at('detail of an enhanced code')} no`,
      `550 ${canaries.at('class of an enhanced code')}.1.1 no`,
      `550 5.${canaries.number('number that is too long for an enhanced code')}.1 no`,
      `550-5.1.1 ${canaries.at('first line of a reply')}\r\n550 5.1.1 ${canaries.at('last line of a reply')}`,
      `550${canaries.at('text without a blank after the code')}`,
      `999 ${canaries.at('text of a code that is none')}`,
      canaries.at('line that is no reply'),
      `\0\x1b]0;${canaries.at('bytes that are no reply')}\x07`,
    ]
    for (const reply of odd) await call.ask('NOOP', reply)
    call.end()
  },

  async 'the reply to a message'(stage) {
    const { canaries } = stage
    const replies = [
      `250 ${canaries.at('text before the ids')} ids=${canaries.at('id that is no hexadecimal number')}`,
      `250 OK ids=${'0'.repeat(32)} ${canaries.at('text after the ids')}`,
      `250 OK PARTIAL ids=${canaries.hex('id that is too short', 30)} ${canaries.at('text of a partial success')}`,
      `250 OK ids=${canaries.hex('id that is too long', 40)}`,
      `552 5.3.4 ${canaries.at('text that refines a cause')} too big`,
    ]
    for (const reply of replies) {
      const call = await stage.call()
      await call.data()
      await call.says('', '.')
      await call.hears(reply)
      call.end()
    }
  },

  async 'replies without a command'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    await call.hears(`250 ${canaries.at('reply without a command')}`)
    await call.hears(`421 4.4.2 idle too long ${canaries.at('421 between messages')}`)
    call.end()
    const body = await stage.call()
    await body.data()
    await body.hears(`421 4.3.0 ${canaries.at('421 in the body')}`)
    body.end()
    const opaque = await stage.call()
    for (const place of ['first surprise', 'second surprise', 'reply in an opaque session'])
      await opaque.hears(`250 ${canaries.at(place)}`)
    await opaque.ask(`NOOP ${canaries.at('command in an opaque session')}`, '250 ok')
    opaque.end()
    const late = await stage.call()
    await late.client.send('NOOP\r\n')
    await late.upstream.send(`220 ${canaries.at('220 in mid-session')}\r\n`)
    await late.client.closed()
    late.end()
  },

  async 'incomplete and endless replies'(stage) {
    const { canaries } = stage
    const half = await stage.call()
    await half.says('NOOP')
    await half.upstream.send(`250-${canaries.at('half a reply')}\r\n250`)
    await half.upstream.end()
    await half.client.closed()
    half.end()
    const endless = await stage.call()
    await endless.says('NOOP')
    await endless.upstream.send(`250 ${canaries.at('reply that is too long')}${'x'.repeat(70_000)}`)
    await endless.client.closed()
    endless.end()
  },

  async 'failed preambles'(stage) {
    const { canaries } = stage
    const starts: readonly (readonly string[])[] = [
      [`421 4.3.2 ${canaries.at('greeting of 421')}\r\n`],
      [`554 5.7.1 ${canaries.at('greeting of 554')}\r\n`],
      [`${canaries.at('greeting that is no reply')}\r\n`],
      [`220 ok\r\n`, `550 ${canaries.at('refusal of EHLO before TLS')}\r\n`],
      [`220 ok\r\n`, `250 ${canaries.at('EHLO reply without STARTTLS')}\r\n`],
      [`220 ok\r\n`, `250-x\r\n250 STARTTLS\r\n`, `454 ${canaries.at('refusal of STARTTLS')}\r\n`],
      [`220 ok\r\n`, `250-x\r\n250 STARTTLS\r\n`, `220 go\r\n${canaries.at('bytes after the 220 to STARTTLS')}\r\n`],
      [`220 ok\r\n250 ${canaries.at('reply before EHLO')}\r\n`],
    ]
    for (const replies of starts) await instead(stage, (upstream) => say(upstream, replies))
    await instead(stage, async (upstream) => {
      await upstream.send(`220-${canaries.at('half a greeting')}\r\n`)
      await upstream.end()
    })
    await instead(stage, async (upstream) => {
      await say(upstream, ['220 ok\r\n', '250-x\r\n250 STARTTLS\r\n', '220 go\r\n'])
      await upstream.send(`\x16\x03\x03${canaries.at('bytes in place of a handshake of the upstream')}`)
      await upstream.end()
    })
  },

  async 'certificates that are refused'(stage) {
    const { authority, canaries } = stage
    const request = (place: string) => ({ commonName: canaries.at(`subject of a certificate ${place}`) })
    const name = canaries.at('name in a certificate of another server')
    const past = new Date(Date.now() - 1000)
    const certificates = [
      await makeSelfSigned(request('that nobody trusts')),
      await authority.issue({ ...request('of another server'), dnsNames: [`${name}.example`] }),
      await authority.issue({ ...request('that has expired'), notAfter: past }),
    ]
    for (const { certPem: cert, keyPem: key } of certificates)
      await instead(stage, (upstream) => stage.preamble(upstream, { cert, key } satisfies Identity).catch(() => {}))
  },
}

/** A session that ends before the client is greeted by the upstream. */
async function instead(stage: CanaryStage, play: (upstream: Peer) => Promise<void>): Promise<void> {
  const client = await stage.client()
  const upstream = await stage.upstream.accept()
  await play(upstream)
  await client.readReply()
  await client.end()
  client.destroy()
  upstream.destroy()
}

/** Sends the first reply immediately, and each other one after a line from the proxy. */
async function say(upstream: Peer, [first = '', ...others]: readonly string[]): Promise<void> {
  await upstream.send(first)
  for (const reply of others) {
    await upstream.readLine()
    await upstream.send(reply)
  }
}
