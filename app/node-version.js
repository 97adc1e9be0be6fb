/**
 * Ends the process with exit code 2 if this version of Node cannot run the proxy. It is plain JavaScript without imports, so
 * that an old Node can run it. `npm start` runs it first, because an old Node also rejects the flag --disable-sigusr1.
 */
const OLDEST = 24
const found = process.versions.node

if (Number.parseInt(found, 10) < OLDEST) {
  console.error(
    `The proxy needs Node ${OLDEST} or later, but this is Node ${found}. Install Node ${OLDEST}, or use a copy of the ` +
      'project: there, `npm ci` installs it for the project.',
  )
  process.exit(2)
}
