/**
 * What Node starts: says what signals do until app/main.ts hears them itself, and only then loads it. Process 1 of a
 * container never gets a signal that it has no handler for, and a `docker stop` may come before all code is loaded.
 * JavaScript and without imports, because Node takes longer to get ready for TypeScript than to start.
 */

/** Nothing is open yet, so nothing has to be drained. */
const quit = () => process.exit(0)
/** The certificate is read later anyway. */
const ignore = () => {}

// commands (check, --help) end by a signal like any program
if (process.argv.length === 2) process.on('SIGTERM', quit).on('SIGINT', quit).on('SIGHUP', ignore)

await import('./main.ts')
