/** Runs shell commands of a page. */
import assert from 'node:assert/strict'
import { type Outcome, run } from '../clients/command.ts'
import { unless } from '../support/programs/programs.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** The slowest command compiles Go's standard library: half a minute on a small machine. */
const LIMIT_MS = 180_000

/** Runs commands in a directory up to the first that fails, with PATH and only these variables. */
export function shell(directory: string, script: string, env: Variables = {}): Promise<Outcome> {
  const all = { PATH: process.env.PATH, HOME: directory, LANG: 'C.UTF-8', ...env }
  return run({ file: 'sh', args: ['-ec', `cd "$0"\n${script}`, directory], env: all }, LIMIT_MS)
}

/** Runs commands that must succeed, and returns what they write. */
export async function succeed(directory: string, script: string, env?: Variables): Promise<string> {
  const { code, stdout, stderr } = await shell(directory, script, env)
  assert.equal(code, 0, `${script}: ${stdout}${stderr}`)
  return stdout + stderr
}

/** The options of a test that runs this program, whose Debian package has the same name. */
export async function needsProgram(name: string, versionOption: string) {
  const { code } = await run({ file: name, args: [versionOption], env: { PATH: process.env.PATH } })
  return unless(code === 0 ? undefined : `${name} is not installed: apt-get install ${name}`)
}

/** The options of a test that runs the commands of docs/tls.md. */
export const needsOpenssl = await needsProgram('openssl', 'version')
