/**
 * Real SMTP clients that send a complete message before they read a reply. They must read the refusal, although the
 * upstream closes in the middle of the message with unread bytes, so that an RST follows the refusal.
 *
 * The test of a missing client is skipped. With the variable CI set, it fails.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type TemporaryFiles, writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { ProcessStage } from '../support/processes/process-stage.ts'
import { unless } from '../support/programs/programs.ts'
import { answerUntil } from '../support/sockets/answer-until.ts'
import { CLIENTS, type SmtpClient } from './clients.ts'
import { type Command, type Outcome, run } from './command.ts'
import { buildAll, installedVersion, missing } from './rig.ts'

/** The kernel decides the order of RST, write and read: with several runs, each order occurs. */
const RUNS = 10
const REFUSAL = '552 5.3.4 Message too big'
/** The number of bytes of the message that the upstream reads, approximately. */
const READ = 1_000_000
/** Larger than all buffers between client and upstream. */
const MESSAGE = `Subject: large\r\n\r\n${'A line of a message that is too large.\r\n'.repeat(400_000)}`

const NAMES = ['curl', 'Python smtplib', 'Go net/smtp']
const clients = CLIENTS.filter(({ name }) => NAMES.includes(name))
const installed = await Promise.all(clients.map((client) => installedVersion(client)))

describe('When a message is refused in the middle, with an RST after the refusal,', () => {
  let stage: ProcessStage
  let files: TemporaryFiles<'message.eml'>
  let failures: ReadonlyMap<string, string>
  before(async () => {
    stage = await ProcessStage.open({ listener: 'starttls' })
    files = writeTemporaryFiles({ 'message.eml': MESSAGE })
    const present = clients.filter((_, index) => installed[index] !== undefined)
    failures = await buildAll(present, files.directory)
  })
  after(async () => {
    files?.remove()
    await stage?.close()
  })

  for (const [index, client] of clients.entries()) {
    const skip = unless(installed[index] === undefined ? missing(client) : undefined)
    test(`${client.name} reads the code in ${RUNS} of ${RUNS} runs (R5)`, skip, async () => {
      assert.equal(failures.get(client.name), undefined)
      for (let count = 0; count < RUNS; count += 1) {
        const [outcome] = await Promise.all([run(commandOf(client)), refuse()])
        assertRead(outcome)
      }
    })
  }

  async function refuse(): Promise<void> {
    const upstream = await stage.accept()
    await stage.greet(upstream)
    await answerUntil(upstream, /^DATA/i)
    await upstream.send('354 go ahead\r\n')
    await upstream.received(upstream.log.length + READ)
    upstream.pause()
    await upstream.send(`${REFUSAL}\r\n`)
    upstream.destroy()
  }

  function commandOf(client: SmtpClient): Command {
    const command = client.send(
      {
        ...{ host: 'localhost', port: stage.proxy.port, caFile: stage.caFile },
        ...{ user: 'user', password: 'password', from: 'app@example.com', to: 'you@example.net' },
        messageFile: files.paths['message.eml'],
      },
      files.directory,
    )
    // curl prints the reply code only with this option
    return client.name === 'curl' ? { ...command, args: [...command.args, '--write-out', '%{response_code}'] } : command
  }
})

/** Asserts that the client failed and printed the code. */
function assertRead({ code, stdout, stderr }: Outcome): void {
  assert.ok(code !== null && code !== 0, `exit code ${code}: ${stdout}${stderr}`)
  assert.match(`${stdout} ${stderr}`, /\b552\b/)
}
