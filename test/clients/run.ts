/**
 * Prints a Markdown table of the clients: their versions, whether they deliver a message directly to a simulated
 * AhaSend and through the proxy, and whether both bodies are equal. Exits with 1 when a client is missing or fails.
 */
import { CLIENTS, type SmtpClient } from './clients.ts'
import { type Attempt, installedVersion, type Rehearsal, rehearse } from './rig.ts'

interface Row {
  readonly cells: readonly string[]
  readonly good: boolean
}

function delivered(attempt: Attempt): boolean {
  const [body, ...more] = attempt.bodies
  return attempt.outcome.code === 0 && attempt.outcome.stderr === '' && body?.code === 250 && more.length === 0
}

function verdict(attempt: Attempt): string {
  const result = delivered(attempt) ? 'ok' : `FAILED (${attempt.outcome.code ?? 'killed'})`
  return `${result}, ${Math.round(attempt.elapsedMs)} ms`
}

async function rowOf(client: SmtpClient, rehearsal: Rehearsal): Promise<Row> {
  const version = await installedVersion(client)
  if (version === undefined) return { cells: [client.name, 'not installed', '', '', ''], good: false }
  const direct = await rehearsal.attempt(client, 'direct')
  const proxied = await rehearsal.attempt(client, 'proxy')
  const equal = direct.bodies[0] !== undefined && direct.bodies[0].sha256 === proxied.bodies[0]?.sha256
  const cells = [client.name, version, verdict(direct), verdict(proxied), equal ? 'yes' : 'NO']
  return { cells, good: delivered(direct) && delivered(proxied) && equal }
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

async function table(): Promise<boolean> {
  const rehearsal = await rehearse()
  let good = true
  try {
    console.log(line(['client', 'version', 'direct', 'through proxy', 'body equal']))
    console.log(line(['---', '---', '---', '---', '---']))
    for (const client of CLIENTS) {
      const row = await rowOf(client, rehearsal)
      console.log(line(row.cells))
      good &&= row.good
    }
  } finally {
    await rehearsal.close()
  }
  return good
}

process.exitCode = (await table()) ? 0 : 1
