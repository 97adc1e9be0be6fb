/** What a client may write, with a mark in every place: the envelope, the message, and all that is neither. */

import assert from 'node:assert/strict'
import { makeSelfSigned } from '../tls/certificates.ts'
import type { CanaryStage } from './stage.ts'

/** Puts marks into places. Resolves when the peers have heard them. */
export type Scene = (stage: CanaryStage) => Promise<void>

export const clientScenes: Readonly<Record<string, Scene>> = {
  async 'names and verbs'(stage) {
    const { marks } = stage
    const call = await stage.call()
    await call.ask(`EHLO ${marks.at('argument of EHLO')}.example`, '250-mail.example\r\n250 CHUNKING')
    await call.ask(`HELO ${marks.at('argument of HELO')}.example`, '250 mail.example')
    for (const verb of ['NOOP', 'VRFY', 'EXPN', 'HELP', 'RSET', 'LHLO', 'ETRN'])
      await call.ask(`${verb} ${marks.at(`argument of ${verb}`)}`, '500 no')
    await call.own(`XCLIENT NAME=${marks.at('argument of XCLIENT')}`)
    await call.ask(`${marks.at('unknown verb')} ${marks.at('argument of an unknown verb')}`, '500 no')
    await call.ask(`NOOP ${'x'.repeat(600)}${marks.at('line that is too long')}`, '500 no')
    await call.ask(`NOOP \0\x1b[31m\xff${marks.at('binary octets in a command')}\x7f`, '500 no')
    await call.ask(`QUIT ${marks.at('argument of QUIT')}`, '221 bye')
    await call.client.send(`${marks.at('octets behind QUIT')}\r\n`)
    call.end()
  },

  async 'octets before the greeting'(stage) {
    const client = await stage.client()
    await client.send(`EHLO ${stage.marks.at('octets before the greeting')}\r\n`)
    await stage.preamble(await stage.upstream.accept())
    await client.readReply()
    client.destroy()
  },

  async 'half a line'(stage) {
    const call = await stage.call()
    await call.client.send(`NOOP ${stage.marks.at('half a line')}`)
    call.end()
  },

  async 'an HTTP request to the SMTP port'(stage) {
    const call = await stage.call()
    await call.own(`GET /${stage.marks.at('path of an HTTP request to the SMTP port')} HTTP/1.1`)
    call.end()
  },

  async STARTTLS(stage) {
    const { marks } = stage
    const call = await stage.call()
    await call.own(`STARTTLS ${marks.at('argument of STARTTLS')}`)
    await call.client.send(`STARTTLS\r\nNOOP ${marks.at('octets behind STARTTLS')}\r\n`)
    await call.client.closed()
    call.end()
  },

  async TLS(stage) {
    const { marks, authority } = stage
    const [, port = 0] = stage.proxy.ports
    const { certPem: cert, keyPem: key } = await makeSelfSigned({
      commonName: marks.at("subject of a client's certificate"),
    })
    const trusting = { ca: authority.certPem, checkServerIdentity: () => undefined, cert, key }
    const tls = { ...trusting, servername: `${marks.at('server name that a client asks for')}.example` }
    const call = await stage.call(port, { tls: { ...tls, ALPNProtocols: ['smtp', marks.at('ALPN beside smtp')] } })
    call.end()
    const strange = { ...tls, ALPNProtocols: [marks.at('ALPN that is refused')] }
    await assert.rejects(stage.client(port, { tls: strange }))
    await stage.raw(port, `EHLO ${marks.at('octets in place of a handshake')}\r\n`)
    // both were dialled for
    for (let dialled = 0; dialled < 2; dialled += 1) (await stage.upstream.accept()).destroy()
  },

  async 'the envelope'(stage) {
    const { marks } = stage
    const call = await stage.call()
    await call.ask(
      `MAIL FROM:<${marks.at('sender')}@${marks.at('domain of the sender')}.example> SIZE=${marks.number('SIZE')} ` +
        `ENVID=${marks.at('ENVID')} AUTH=${marks.at('AUTH parameter')}@example.com RET=HDRS`,
      '250 ok',
    )
    const routes = `@${marks.at('source route')}.example,@relay.example`
    await call.ask(
      `RCPT TO:<${routes}:${marks.at('recipient')}@${marks.at('domain of the recipient')}.example> ` +
        `NOTIFY=NEVER ORCPT=rfc822;${marks.at('ORCPT')}@example.net`,
      '250 ok',
    )
    await call.ask(
      `RCPT TO:<${marks.at('refused recipient')}@${marks.at('domain of a refused recipient')}.example>`,
      '553 5.1.1 no such user',
    )
    await call.ask('RSET', '250 ok')
    for (const path of [`<${marks.at('malformed path')} `, `<<${marks.at('malformed path')}>>`])
      await call.ask(`MAIL FROM:${path}`, '501 5.1.7 what')
    await call.ask(`MAIL FROM:<a@example.com> ${marks.at('unknown parameter')}=${marks.at('its value')}`, '555 no')
    call.end()
  },

  async 'a message'(stage) {
    const call = await stage.call()
    await call.data()
    await call.says(...fieldsOf(stage), '', ...bodyOf(stage), '.')
    await call.hears(`250 2.0.0 OK ids=${stage.marks.hex("a message's id in the final reply")}`)
    call.end()
  },

  async 'a message whose trace context is malformed'(stage) {
    const { marks } = stage
    const call = await stage.call()
    await call.data()
    const id = marks.hex('trace id of a malformed traceparent')
    await call.says(
      `Traceparent: 00-${id}-${marks.at('traceparent that is malformed')}-01`,
      `Tracestate: vendor=${marks.at('tracestate beside a malformed traceparent')}`,
      `AhaSend-Sandbox: ${marks.at('value of AhaSend-Sandbox')}`,
      `AhaSend-Tags: ${marks.at('tag that is too long').repeat(5)}`,
      '',
      '.',
    )
    await call.hears('451 later')
    call.end()
  },

  async 'messages that are not finished'(stage) {
    const { marks } = stage
    const left = await stage.call()
    await left.data()
    await left.client.send(`Subject: ${marks.at('body that its client left')}`)
    await left.client.reset()
    left.end()
    const doubtful = await stage.call()
    await doubtful.data()
    await doubtful.says(`Subject: ${marks.at('body whose verdict never came')}`, '', '.')
    await doubtful.upstream.reset()
    doubtful.end()
  },

  async chunks(stage) {
    const { marks } = stage
    const call = await stage.call()
    await call.ask('EHLO x', '250-mail.example\r\n250 CHUNKING')
    await call.ask('MAIL FROM:<>', '250 ok')
    await call.ask('RCPT TO:<b@example.net>', '250 ok')
    const chunk = `Subject: ${marks.at('Subject in a BDAT chunk')}\r\n\r\n${marks.at('text in a BDAT chunk')}\r\n`
    await call.ask(`BDAT ${chunk.length + 2} LAST\r\n${chunk}`, '250 ok')
    await call.ask(`BDAT ${marks.at('argument of BDAT')}`, '501 what')
    call.end()
  },

  async 'the PROXY protocol'(stage) {
    const { marks, balanced } = stage
    const address = marks.given('address in a PROXY header of version 1', '203.0.113.77')
    const proxied = marks.given('destination in a PROXY header of version 1', '203.0.113.251')
    const first = await stage.call(balanced.port, { header: `PROXY TCP4 ${address} ${proxied} 4711 25\r\n` })
    first.end()
    const header = v2(marks.given('address in a PROXY header of version 2', '203.0.113.99'), [
      [0x02, marks.at('authority in a PROXY header')],
      [0xe0, marks.at('unknown TLV in a PROXY header')],
    ])
    const second = await stage.call(balanced.port, { header })
    second.end()
    const stranger = marks.given('address of a client that may not connect', '198.51.100.77')
    for (const refused of [
      `PROXY TCP4 ${stranger} ${proxied} 4711 25\r\n`,
      `PROXY TCP4 ${marks.at('PROXY header that is malformed')} 25\r\n`,
      `${marks.at('octets in place of a PROXY header')}\r\n`,
    ])
      await stage.raw(balanced.port, refused)
  },
}

/** The header section of a message. */
function fieldsOf({ marks }: CanaryStage): string[] {
  return [
    `From: ${marks.at('display name in From')} <${marks.at('address in From')}@example.com>`,
    `To: ${marks.at('address in To')}@example.net`,
    `Subject: ${marks.at('Subject')}`,
    `\t${marks.at('folded part of Subject')}`,
    `Message-ID: <${marks.at('Message-ID')}@${marks.at('domain of the Message-ID')}.example>`,
    `${marks.at('name of an unknown field')}: ${marks.at('value of an unknown field')}`,
    `Traceparent: 00-${marks.hex('trace id of a traceparent')}-${marks.hex('span id of a traceparent', 16)}-01`,
    `Tracestate: vendor=${marks.at('tracestate')}`,
    `AhaSend-Tags: ${marks.at('tag')}, ${marks.at('another tag')}`,
    'AhaSend-Sandbox: true',
  ]
}

function bodyOf({ marks }: CanaryStage): string[] {
  return [
    marks.at('body'),
    `..${marks.at('body line that is dot-stuffed')}`,
    `.${marks.at('body line that begins with a dot')}`,
    Buffer.from(marks.at('body in base64')).toString('base64'),
    `MAIL FROM:<${marks.at('body line that looks like a command')}@example.com>`,
    `Subject: ${marks.at('body line that looks like a field')}`,
    `Traceparent: 00-${marks.hex('traceparent in the body')}-00f067aa0ba902b7-01`,
    `${'x'.repeat(2000)}${marks.at('body line that is too long')}`,
  ]
}

/** A PROXY header of version 2 over TCP4, with TLVs. */
function v2(source: string, tlvs: readonly (readonly [type: number, value: string])[]): Buffer {
  const octets = [...source.split('.').map(Number), 203, 0, 113, 1, 4711 >> 8, 4711 & 0xff, 0, 25]
  const block = Buffer.concat([
    Buffer.from(octets),
    ...tlvs.flatMap(([type, value]) => [Buffer.of(type, 0, value.length), Buffer.from(value)]),
  ])
  return Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.of(0x21, 0x11, 0, block.length), block])
}
