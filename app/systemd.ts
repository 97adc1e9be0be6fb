/** Tells systemd that the proxy listens, for a unit with `Type=notify`. */
import { spawn } from 'node:child_process'
import type { Environment } from '../settings/environment.ts'

/**
 * Notifies systemd if it started this process and asks for it. It runs the program `systemd-notify`, because Node has no
 * datagram sockets of the Unix family. Calls `failed` with the reason if that does not work: systemd then stops the proxy
 * after the start timeout of the unit.
 */
export function notifySystemd(env: Environment, failed: (reason: string) => void): void {
  if (!env.NOTIFY_SOCKET) return
  const child = spawn('systemd-notify', ['--ready'], { stdio: 'ignore' })
  child.on('error', ({ message }) => failed(message))
  child.on('exit', (code, signal) => {
    if (code !== 0) failed(`systemd-notify ended with ${signal ?? code}`)
  })
}
