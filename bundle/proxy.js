#!/usr/bin/env node
/** The entry point of the bundle, which is one file for the main thread and for worker threads. */
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  // as --disable-sigusr1, which a program cannot set for itself: no debugger opens on this signal
  process.on('SIGUSR1', () => {})
  import('../app/entry.js')
} else {
  import('../proxy/server/worker.ts')
}
