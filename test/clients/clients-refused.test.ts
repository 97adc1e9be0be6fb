/**
 * Clients that applications use, and that send a whole message before they look for a reply: they read why it is refused,
 * although the upstream closes in its middle with unread bytes, so that an RST follows the refusal.
 *
 * A client that is not installed is skipped by name; in CI, where the variable CI is set, it fails.
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

/** Which of RST, write and read comes first is up to the kernel: some runs meet each order. */
const RUNS = 10
const REFUSAL = '552 5.3.4 Message too big'
/** What the upstream reads of the message, about. */
const READ = 1_000_000
/** More than all the buffers between client and upstream. */
const MESSAGE = `Subject: large\r\n\r\n${'A line of a message that is too large.\r\n'.repeat(400_000)}`

const NAMES = ['curl', 'Python smtplib', 'Go net/smtp']
const clients = CLIENTS.filter(({ name }) => NAMES.includes(name))
const installed = await Promise.all(clients.map((client) => installedVersion(client)))

describe('A message that is refused in its middle, with an RST after the refusal', () => {
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
    // curl does not print the reply by itself
    return client.name === 'curl' ? { ...command, args: [...command.args, '--write-out', '%{response_code}'] } : command
  }
})

/** Failed, and said the code. */
function assertRead({ code, stdout, stderr }: Outcome): void {
  assert.ok(code !== null && code !== 0, `exit code ${code}: ${stdout}${stderr}`)
  assert.match(`${stdout} ${stderr}`, /\b552\b/)
}
