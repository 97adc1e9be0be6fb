/** AUTH in every form, with a mark in place of each secret. */
import type { Scene } from './client.ts'

function base64(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64')
}

export const authScenes: Readonly<Record<string, Scene>> = {
  async 'AUTH PLAIN'(stage) {
    const { marks } = stage
    const [user, password] = [marks.at('AUTH PLAIN user'), marks.at('AUTH PLAIN password')]
    const call = await stage.call()
    await call.ask(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`, `535 5.7.8 ${marks.at('refusal of AUTH PLAIN')}`)
    const authorized = marks.at('AUTH PLAIN identity in a second step')
    await call.ask('AUTH PLAIN', '334 ')
    await call.ask(base64(`${authorized}\0u\0${marks.at('AUTH PLAIN password in a second step')}`), '500 5.7.8 no')
    await call.ask(`AUTH PLAIN ${marks.at('AUTH PLAIN response that is no base64')}!`, '501 5.5.2 what')
    await call.ask(
      `AUTH PLAIN ${base64(`\0${'u'.repeat(600)}\0${marks.at('AUTH PLAIN of a long line')}`)}`,
      '535 5.7.8 no',
    )
    call.end()
  },

  async 'AUTH LOGIN'(stage) {
    const { marks } = stage
    const call = await stage.call()
    await call.ask('AUTH LOGIN', `334 ${base64(marks.at('challenge of AUTH LOGIN'))}`)
    await call.ask(base64(marks.at('AUTH LOGIN user')), `334 ${base64('Password:')}`)
    await call.ask(base64(marks.at('AUTH LOGIN password')), `535 ${marks.at('refusal of AUTH LOGIN')}`)
    await call.ask(`AUTH LOGIN ${base64(marks.at('AUTH LOGIN user in the command'))}`, '334 ')
    await call.ask(`*${marks.at('AUTH that is cancelled')}`, '501 cancelled')
    await call.ask('AUTH LOGIN', '334 ')
    await call.ask(`${marks.at('AUTH LOGIN answer that is no base64')} \xff`, '501 what')
    call.end()
  },

  async 'AUTH of other mechanisms'(stage) {
    const { marks } = stage
    const call = await stage.call()
    const answer = `${marks.at('AUTH CRAM-MD5 user')} ${marks.hex('AUTH CRAM-MD5 digest')}`
    await call.ask('AUTH CRAM-MD5', `334 ${base64(`<${marks.at('challenge of AUTH CRAM-MD5')}@mail.example>`)}`)
    await call.ask(base64(answer), '535 5.7.8 no')
    const token = `user=${marks.at('AUTH XOAUTH2 user')}\x01auth=Bearer ${marks.at('AUTH XOAUTH2 token')}\x01\x01`
    await call.ask(
      `AUTH XOAUTH2 ${base64(token)}`,
      `334 ${base64(`{"status":"${marks.at('error of AUTH XOAUTH2')}"}`)}`,
    )
    await call.ask('', '535 5.7.8 no')
    const secret = base64(marks.at('response to an unknown mechanism'))
    await call.ask(`AUTH ${marks.at('name of an unknown mechanism')} ${secret}`, '504 5.5.4 no')
    await call.ask(`AUTH\t${marks.at('name of a mechanism behind a tab')}`, '504 5.5.4 no')
    call.end()
  },

  async 'AUTH in pieces'(stage) {
    const { marks } = stage
    const call = await stage.call()
    const lines = ['AUTH LOGIN', base64(marks.at('pipelined AUTH user')), base64(marks.at('pipelined AUTH password'))]
    await call.says(...lines)
    await call.hears('334 \r\n334 \r\n535 no')
    const line = `AUTH PLAIN ${base64(`\0u\0${marks.at('AUTH PLAIN octet by octet')}`)}\r\n`
    await call.client.trickle(line)
    await call.upstream.readUntil(line)
    await call.hears('535 no')
    call.end()
  },

  async 'AUTH that was taken for commands'(stage) {
    const { marks } = stage
    const call = await stage.call()
    const secret = base64(marks.at('password behind an AUTH that was refused'))
    await call.says('AUTH PLAIN', secret)
    await call.hears('504 5.5.4 no')
    await call.hears(`500 5.5.1 ${secret}: ${marks.at('refusal that quotes a password')}`)
    call.end()
  },

  async 'AUTH that breaks off'(stage) {
    const { marks } = stage
    const call = await stage.call()
    await call.ask('AUTH LOGIN', '334 ')
    await call.client.send(base64(marks.at('half a line of AUTH')))
    await call.client.end()
    call.end()
    const shed = await stage.call()
    await shed.ask('AUTH LOGIN', `421 4.3.2 ${marks.at('421 to AUTH')}`)
    shed.end()
  },

  async 'AUTH with a security layer'(stage) {
    const { marks } = stage
    const call = await stage.call()
    await call.ask(`AUTH GSSAPI ${base64(marks.at('ticket of AUTH GSSAPI'))}`, '235 ok')
    await call.client.send(`\0\0\0\x20${marks.at('octets in a security layer')}\n`)
    await call.upstream.readUntil('\n')
    await call.upstream.send(`${marks.at('answer in a security layer')}\n`)
    await call.client.readUntil('\n')
    call.end()
  },
}
