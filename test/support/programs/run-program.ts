/**
 * Runs a program (`node run-program.ts file arguments`) and ends it when the other end of its own standard input is
 * gone, however the test came to its end: a process that is killed has no time to kill others.
 */
import { spawn } from 'node:child_process'

/** Milliseconds for an orderly end. */
const PATIENCE_MS = 5000

const [file = '', ...args] = process.argv.slice(2)
const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] })
child.once('error', ({ message }) => {
  console.error(message)
  process.exit(1)
})
child.once('exit', (code) => process.exit(code ?? 1))

const end = () => {
  child.kill('SIGTERM')
  setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
}
process.stdin.once('end', end).once('error', end).resume()
