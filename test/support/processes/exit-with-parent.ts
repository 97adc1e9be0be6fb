/**
 * Preloaded into a program that a test starts: ends it when the other end of its standard input is gone, however the
 * test came to its end. A process that is killed has no time to kill others. Threads of the program load it too.
 */
import { isMainThread } from 'node:worker_threads'

const end = () => process.kill(process.pid, 'SIGKILL')
if (isMainThread) process.stdin.on('end', end).on('error', end).resume().unref()
