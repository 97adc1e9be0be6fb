/**
 * Preloaded into a program that a test starts: it kills the program when its standard input closes. So the program also
 * stops when the test process is killed and cannot stop it. The program's threads load this file, too.
 */
import { isMainThread } from 'node:worker_threads'

const end = () => process.kill(process.pid, 'SIGKILL')
if (isMainThread) process.stdin.on('end', end).on('error', end).resume().unref()
