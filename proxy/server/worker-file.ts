/** The program of a worker thread. In a bundle, this module is replaced: there it is the bundle itself. */
export const WORKER_FILE = new URL('./worker.ts', import.meta.url)
