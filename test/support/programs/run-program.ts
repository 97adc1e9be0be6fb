/**
 * Runs a program (`node run-program.ts file arguments`) and stops it when its own standard input closes. So the program
 * also stops when the test process is killed and cannot stop it.
 */
import { spawn } from 'node:child_process'

/** The time between SIGTERM and SIGKILL, in milliseconds. */
const STOP_LIMIT_MS = 5000

const [file = '', ...args] = process.argv.slice(2)
const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] })
child.once('error', ({ message }) => {
  console.error(message)
  process.exit(1)
})
child.once('exit', (code) => process.exit(code ?? 1))

const end = () => {
  child.kill('SIGTERM')
  setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
}
process.stdin.once('end', end).once('error', end).resume()
