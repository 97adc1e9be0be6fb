/** What a client can send, with a canary in every place: envelopes, messages and everything else. */

import assert from 'node:assert/strict'
import { makeSelfSigned } from '../tls/certificates.ts'
import type { CanaryStage } from './stage.ts'

/** Sends canaries in some places. Resolves when the other side has received them. */
export type Scene = (stage: CanaryStage) => Promise<void>

/** Sessions in which the client sends canaries. */
export const clientScenes: Readonly<Record<string, Scene>> = {
  async 'names and verbs'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    await call.ask(`EHLO ${canaries.at('argument of EHLO')}.example`, '250-mail.example\r\n250 CHUNKING')
    await call.ask(`HELO ${canaries.at('argument of HELO')}.example`, '250 mail.example')
    for (const verb of ['NOOP', 'VRFY', 'EXPN', 'HELP', 'RSET', 'LHLO', 'ETRN'])
      await call.ask(`${verb} ${canaries.at(`argument of ${verb}`)}`, '500 no')
    await call.own(`XCLIENT NAME=${canaries.at('argument of XCLIENT')}`)
    await call.ask(`${canaries.at('unknown verb')} ${canaries.at('argument of an unknown verb')}`, '500 no')
    await call.ask(`NOOP ${'x'.repeat(600)}${canaries.at('line that is too long')}`, '500 no')
    await call.ask(`NOOP \0\x1b[31m\xff${canaries.at('binary bytes in a command')}\x7f`, '500 no')
    await call.ask(`QUIT ${canaries.at('argument of QUIT')}`, '221 bye')
    await call.client.send(`${canaries.at('bytes after QUIT')}\r\n`)
    call.end()
  },

  async 'bytes before the greeting'(stage) {
    const client = await stage.client()
    await client.send(`EHLO ${stage.canaries.at('bytes before the greeting')}\r\n`)
    await stage.preamble(await stage.upstream.accept())
    await client.readReply()
    client.destroy()
  },

  async 'half a line'(stage) {
    const call = await stage.call()
    await call.client.send(`NOOP ${stage.canaries.at('half a line')}`)
    call.end()
  },

  async 'an HTTP request to the SMTP port'(stage) {
    const call = await stage.call()
    await call.own(`GET /${stage.canaries.at('path of an HTTP request to the SMTP port')} HTTP/1.1`)
    call.end()
  },

  async STARTTLS(stage) {
    const { canaries } = stage
    const call = await stage.call()
    await call.own(`STARTTLS ${canaries.at('argument of STARTTLS')}`)
    await call.client.send(`STARTTLS\r\nNOOP ${canaries.at('bytes after STARTTLS')}\r\n`)
    await call.client.closed()
    call.end()
  },

  async TLS(stage) {
    const { canaries, authority } = stage
    const [, port = 0] = stage.proxy.ports
    const { certPem: cert, keyPem: key } = await makeSelfSigned({
      commonName: canaries.at("subject of a client's certificate"),
    })
    const trusting = { ca: authority.certPem, checkServerIdentity: () => undefined, cert, key }
    const tls = { ...trusting, servername: `${canaries.at('server name that a client asks for')}.example` }
    const call = await stage.call(port, { tls: { ...tls, ALPNProtocols: ['smtp', canaries.at('ALPN beside smtp')] } })
    call.end()
    const strange = { ...tls, ALPNProtocols: [canaries.at('ALPN that is refused')] }
    await assert.rejects(stage.client(port, { tls: strange }))
    await stage.raw(port, `EHLO ${canaries.at('bytes in place of a handshake')}\r\n`)
    // both were dialled for
    for (let dialled = 0; dialled < 2; dialled += 1) (await stage.upstream.accept()).destroy()
  },

  async 'the envelope'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    await call.ask(
      `MAIL FROM:<${canaries.at('sender')}@${canaries.at('domain of the sender')}.example> SIZE=${canaries.number('SIZE')} ` +
        `ENVID=${canaries.at('ENVID')} AUTH=${canaries.at('AUTH parameter')}@example.com RET=HDRS`,
      '250 ok',
    )
    const routes = `@${canaries.at('source route')}.example,@relay.example`
    await call.ask(
      `RCPT TO:<${routes}:${canaries.at('recipient')}@${canaries.at('domain of the recipient')}.example> ` +
        `NOTIFY=NEVER ORCPT=rfc822;${canaries.at('ORCPT')}@example.net`,
      '250 ok',
    )
    await call.ask(
      `RCPT TO:<${canaries.at('refused recipient')}@${canaries.at('domain of a refused recipient')}.example>`,
      '553 5.1.1 no such user',
    )
    await call.ask('RSET', '250 ok')
    for (const path of [`<${canaries.at('malformed path')} `, `<<${canaries.at('malformed path')}>>`])
      await call.ask(`MAIL FROM:${path}`, '501 5.1.7 what')
    await call.ask(
      `MAIL FROM:<a@example.com> ${canaries.at('unknown parameter')}=${canaries.at('its value')}`,
      '555 no',
    )
    call.end()
  },

  async 'a message'(stage) {
    const call = await stage.call()
    await call.data()
    await call.says(...fieldsOf(stage), '', ...bodyOf(stage), '.')
    await call.hears(`250 2.0.0 OK ids=${stage.canaries.hex("a message's id in the final reply")}`)
    call.end()
  },

  async 'a message whose trace context is malformed'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    await call.data()
    const id = canaries.hex('trace id of a malformed traceparent')
    await call.says(
      `Traceparent: 00-${id}-${canaries.at('traceparent that is malformed')}-01`,
      `Tracestate: vendor=${canaries.at('tracestate beside a malformed traceparent')}`,
      `AhaSend-Sandbox: ${canaries.at('value of AhaSend-Sandbox')}`,
      `AhaSend-Tags: ${canaries.at('tag that is too long').repeat(5)}`,
      '',
      '.',
    )
    await call.hears('451 later')
    call.end()
  },

  async 'messages that are not finished'(stage) {
    const { canaries } = stage
    const left = await stage.call()
    await left.data()
    await left.client.send(`Subject: ${canaries.at('body that its client left')}`)
    await left.client.reset()
    left.end()
    const doubtful = await stage.call()
    await doubtful.data()
    await doubtful.says(`Subject: ${canaries.at('body whose verdict never came')}`, '', '.')
    await doubtful.upstream.reset()
    doubtful.end()
  },

  async chunks(stage) {
    const { canaries } = stage
    const call = await stage.call()
    await call.ask('EHLO x', '250-mail.example\r\n250 CHUNKING')
    await call.ask('MAIL FROM:<>', '250 ok')
    await call.ask('RCPT TO:<b@example.net>', '250 ok')
    const chunk = `Subject: ${canaries.at('Subject in a BDAT chunk')}\r\n\r\n${canaries.at('text in a BDAT chunk')}\r\n`
    await call.ask(`BDAT ${chunk.length + 2} LAST\r\n${chunk}`, '250 ok')
    await call.ask(`BDAT ${canaries.at('argument of BDAT')}`, '501 what')
    call.end()
  },

  async 'the PROXY protocol'(stage) {
    const { canaries, balanced } = stage
    const address = canaries.given('address in a PROXY header of version 1', '203.0.113.77')
    const proxied = canaries.given('destination in a PROXY header of version 1', '203.0.113.251')
    const first = await stage.call(balanced.port, { header: `PROXY TCP4 ${address} ${proxied} 4711 25\r\n` })
    first.end()
    const header = v2(canaries.given('address in a PROXY header of version 2', '203.0.113.99'), [
      [0x02, canaries.at('authority in a PROXY header')],
      [0xe0, canaries.at('unknown TLV in a PROXY header')],
    ])
    const second = await stage.call(balanced.port, { header })
    second.end()
    const stranger = canaries.given('address of a client that may not connect', '198.51.100.77')
    for (const refused of [
      `PROXY TCP4 ${stranger} ${proxied} 4711 25\r\n`,
      `PROXY TCP4 ${canaries.at('PROXY header that is malformed')} 25\r\n`,
      `${canaries.at('bytes in place of a PROXY header')}\r\n`,
    ])
      await stage.raw(balanced.port, refused)
  },
}

/** The header section of a message. */
function fieldsOf({ canaries }: CanaryStage): string[] {
  return [
    `From: ${canaries.at('display name in From')} <${canaries.at('address in From')}@example.com>`,
    `To: ${canaries.at('address in To')}@example.net`,
    `Subject: ${canaries.at('Subject')}`,
    `\t${canaries.at('folded part of Subject')}`,
    `Message-ID: <${canaries.at('Message-ID')}@${canaries.at('domain of the Message-ID')}.example>`,
    `${canaries.at('name of an unknown field')}: ${canaries.at('value of an unknown field')}`,
    `Traceparent: 00-${canaries.hex('trace id of a traceparent')}-${canaries.hex('span id of a traceparent', 16)}-01`,
    `Tracestate: vendor=${canaries.at('tracestate')}`,
    `AhaSend-Tags: ${canaries.at('tag')}, ${canaries.at('another tag')}`,
    'AhaSend-Sandbox: true',
  ]
}

function bodyOf({ canaries }: CanaryStage): string[] {
  return [
    canaries.at('body'),
    `..${canaries.at('body line that is dot-stuffed')}`,
    `.${canaries.at('body line that begins with a dot')}`,
    Buffer.from(canaries.at('body in base64')).toString('base64'),
    `MAIL FROM:<${canaries.at('body line that looks like a command')}@example.com>`,
    `Subject: ${canaries.at('body line that looks like a field')}`,
    `Traceparent: 00-${canaries.hex('traceparent in the body')}-00f067aa0ba902b7-01`,
    `${'x'.repeat(2000)}${canaries.at('body line that is too long')}`,
  ]
}

/** A PROXY header of version 2 over TCP4, with TLVs. */
function v2(source: string, tlvs: readonly (readonly [type: number, value: string])[]): Buffer {
  const bytes = [...source.split('.').map(Number), 203, 0, 113, 1, 4711 >> 8, 4711 & 0xff, 0, 25]
  const block = Buffer.concat([
    Buffer.from(bytes),
    ...tlvs.flatMap(([type, value]) => [Buffer.of(type, 0, value.length), Buffer.from(value)]),
  ])
  return Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.of(0x21, 0x11, 0, block.length), block])
}
