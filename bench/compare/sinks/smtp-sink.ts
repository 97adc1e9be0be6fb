/** The upstream in plain text: smtp-sink of Postfix. */
import { userInfo } from 'node:os'
import { freePort, listening } from '../processes/ports.ts'
import { type Started, start } from '../processes/process.ts'

/** Starts smtp-sink on a free port. `mailConfig` is a folder with a main.cf. */
export async function startSmtpSink(mailConfig: string): Promise<{ readonly program: Started; readonly port: number }> {
  const port = await freePort()
  // root has to name a user. Its own name keeps the signal that stops the program with this process
  const user = userInfo().uid === 0 ? ['-u', userInfo().username] : []
  const args = [...user, '-m', '20000', `127.0.0.1:${port}`, '4096']
  const program = start('smtp-sink', args, { env: { ...process.env, MAIL_CONFIG: mailConfig } })
  await listening(port, program.failure)
  return { program, port }
}
