/** The commands and settings of docs/tls.md, for the host name localhost and a directory of the test. */
import assert from 'node:assert/strict'
import { blockWith, codeOf, readPage, replaced, rowsOf, type Section, sectionOf } from './page.ts'
import { shell, succeed } from './shell.ts'

/** The host name on the pages. */
export const HOST = 'smtp.internal'
/** The port on the pages. */
export const PORT = '2525'

const PAGE = readPage('tls.md')
const AUTHORITY = 'A private authority'
const TRUST = 'Let your apps trust a private authority'

/** Prints the directory of the JDK. Fails if there is none. */
const JAVA_HOME = 'tool=$(command -v keytool); dirname "$(dirname "$(readlink -f "$tool")")"'

/** A section of the page. */
export function tlsSection(heading: string): Section {
  return sectionOf(PAGE, heading)
}

/** The two commands that create the authority and the certificate. */
export function certificateCommands(): string {
  return replaced(blockWith(tlsSection(AUTHORITY), '-CAkey'), HOST, 'localhost')
}

/** The second of these commands, which also renews the certificate. */
export function renewCommand(): string {
  return certificateCommands().split(/\n(?=openssl )/)[1]!
}

/** Creates the files by which runtimes trust `ca.pem` in this directory. Those of Java need a JDK. */
export async function prepareTrust(directory: string): Promise<void> {
  await succeed(directory, blockWith(tlsSection(TRUST), 'bundle.pem'))
  const java = await shell(directory, JAVA_HOME)
  if (java.code !== 0) return
  await succeed(directory, blockWith(tlsSection(TRUST), 'keytool'), { JAVA_HOME: java.stdout.trim() })
}

/** The runtimes of the table, and whether it says that they are tested. */
export function runtimes(): ReadonlyMap<string, string | undefined> {
  return new Map(rowsOf(tlsSection(TRUST)).map(([name = '', , tested]) => [name, tested]))
}

/** The variable by which a runtime trusts the authority, with the files in this directory. */
export function trustOf(runtime: string, directory: string): Readonly<Record<string, string>> {
  const row = rowsOf(tlsSection(TRUST)).find(([name]) => name === runtime)
  assert.ok(row !== undefined, `docs/tls.md does not say how ${runtime} trusts an authority`)
  const [, name, value] = /^(\w+)=(.+)$/.exec(codeOf(row[1]!)) ?? []
  assert.ok(name !== undefined && value !== undefined, row[1])
  return { [name]: replaced(value, '/certs', directory) }
}
