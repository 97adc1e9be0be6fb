/** AUTH in every form, with a canary as each secret. */
import type { Scene } from './client.ts'

function base64(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64')
}

/** Sessions with AUTH. */
export const authScenes: Readonly<Record<string, Scene>> = {
  async 'AUTH PLAIN'(stage) {
    const { canaries } = stage
    const [user, password] = [canaries.at('AUTH PLAIN user'), canaries.at('AUTH PLAIN password')]
    const call = await stage.call()
    await call.ask(
      `AUTH PLAIN ${base64(`\0${user}\0${password}`)}`,
      `535 5.7.8 ${canaries.at('refusal of AUTH PLAIN')}`,
    )
    const authorized = canaries.at('AUTH PLAIN identity in a second step')
    await call.ask('AUTH PLAIN', '334 ')
    await call.ask(base64(`${authorized}\0u\0${canaries.at('AUTH PLAIN password in a second step')}`), '500 5.7.8 no')
    await call.ask(`AUTH PLAIN ${canaries.at('AUTH PLAIN response that is no base64')}!`, '501 5.5.2 what')
    await call.ask(
      `AUTH PLAIN ${base64(`\0${'u'.repeat(600)}\0${canaries.at('AUTH PLAIN of a long line')}`)}`,
      '535 5.7.8 no',
    )
    call.end()
  },

  async 'AUTH LOGIN'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    await call.ask('AUTH LOGIN', `334 ${base64(canaries.at('challenge of AUTH LOGIN'))}`)
    await call.ask(base64(canaries.at('AUTH LOGIN user')), `334 ${base64('Password:')}`)
    await call.ask(base64(canaries.at('AUTH LOGIN password')), `535 ${canaries.at('refusal of AUTH LOGIN')}`)
    await call.ask(`AUTH LOGIN ${base64(canaries.at('AUTH LOGIN user in the command'))}`, '334 ')
    await call.ask(`*${canaries.at('AUTH that is cancelled')}`, '501 cancelled')
    await call.ask('AUTH LOGIN', '334 ')
    await call.ask(`${canaries.at('AUTH LOGIN answer that is no base64')} \xff`, '501 what')
    call.end()
  },

  async 'AUTH of other mechanisms'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    const answer = `${canaries.at('AUTH CRAM-MD5 user')} ${canaries.hex('AUTH CRAM-MD5 digest')}`
    await call.ask('AUTH CRAM-MD5', `334 ${base64(`<${canaries.at('challenge of AUTH CRAM-MD5')}@mail.example>`)}`)
    await call.ask(base64(answer), '535 5.7.8 no')
    const token = `user=${canaries.at('AUTH XOAUTH2 user')}\x01auth=Bearer ${canaries.at('AUTH XOAUTH2 token')}\x01\x01`
    await call.ask(
      `AUTH XOAUTH2 ${base64(token)}`,
      `334 ${base64(`{"status":"${canaries.at('error of AUTH XOAUTH2')}"}`)}`,
    )
    await call.ask('', '535 5.7.8 no')
    const secret = base64(canaries.at('response to an unknown mechanism'))
    await call.ask(`AUTH ${canaries.at('name of an unknown mechanism')} ${secret}`, '504 5.5.4 no')
    await call.ask(`AUTH\t${canaries.at('name of a mechanism after a tab')}`, '504 5.5.4 no')
    call.end()
  },

  async 'AUTH in pieces'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    const lines = [
      'AUTH LOGIN',
      base64(canaries.at('pipelined AUTH user')),
      base64(canaries.at('pipelined AUTH password')),
    ]
    await call.says(...lines)
    await call.hears('334 \r\n334 \r\n535 no')
    const line = `AUTH PLAIN ${base64(`\0u\0${canaries.at('AUTH PLAIN byte by byte')}`)}\r\n`
    await call.client.trickle(line)
    await call.upstream.readUntil(line)
    await call.hears('535 no')
    call.end()
  },

  async 'AUTH whose response is read as a command'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    const secret = base64(canaries.at('password after an AUTH that was refused'))
    await call.says('AUTH PLAIN', secret)
    await call.hears('504 5.5.4 no')
    await call.hears(`500 5.5.1 ${secret}: ${canaries.at('refusal that quotes a password')}`)
    call.end()
  },

  async 'AUTH that is not completed'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    await call.ask('AUTH LOGIN', '334 ')
    await call.client.send(base64(canaries.at('half a line of AUTH')))
    await call.client.end()
    call.end()
    const shed = await stage.call()
    await shed.ask('AUTH LOGIN', `421 4.3.2 ${canaries.at('421 to AUTH')}`)
    shed.end()
  },

  async 'AUTH with a security layer'(stage) {
    const { canaries } = stage
    const call = await stage.call()
    await call.ask(`AUTH GSSAPI ${base64(canaries.at('ticket of AUTH GSSAPI'))}`, '235 ok')
    await call.client.send(`\0\0\0\x20${canaries.at('bytes in a security layer')}\n`)
    await call.upstream.readUntil('\n')
    await call.upstream.send(`${canaries.at('answer in a security layer')}\n`)
    await call.client.readUntil('\n')
    call.end()
  },
}
