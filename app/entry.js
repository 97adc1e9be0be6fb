/**
 * The entry point: installs signal handlers and then loads app/main.ts, which replaces them. The kernel delivers to process
 * 1 of a container only signals that have a handler, and a `docker stop` may arrive before all code is loaded. This file is
 * JavaScript and imports nothing before that, because Node takes longer to prepare for TypeScript than to start.
 */

/** Nothing is open yet, so there is nothing to drain. */
const quit = () => process.exit(0)
/** The certificate has not been read yet. */
const ignore = () => {}

// a signal ends commands such as check and --help like any other program; the probe runs until a signal
if (process.argv.length === 2 || process.argv[2] === 'probe')
  process.on('SIGTERM', quit).on('SIGINT', quit).on('SIGHUP', ignore)

// without await: the bundle is CommonJS, which has no await outside of functions
import('./node-version.js').then(() => import('./main.ts'))
