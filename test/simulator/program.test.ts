/**
 * The simulator as a program: the certificate authority that it keeps across restarts, and what it records about
 * bodies.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, afterEach, beforeEach, describe, test } from 'node:test'
import { startProxy } from '../support/processes/proxy-process.ts'
import { connectClient, startTls } from '../support/sockets/scripted-peers.ts'
import { makeAuthority } from '../support/tls/certificates.ts'
import { AUTH_PLAIN, ask, mail, send } from './client.ts'

/** Per test, not per suite: a whole suite can take longer than one test that hangs. */
const LIMIT = { timeout: 60_000 }
const DAY_MS = 24 * 60 * 60 * 1000

interface Program extends AsyncDisposable {
  readonly port: number
  readonly httpPort: number
  /** Stops the program and returns its standard error. */
  end(signal?: NodeJS.Signals): Promise<string>
}

const started = new Set<ChildProcess>()
// the programs of failed tests
after(() => {
  for (const child of started) child.kill('SIGKILL')
})

async function start(...flags: readonly string[]): Promise<Program> {
  const main = join(import.meta.dirname, 'main.ts')
  const child: ChildProcess = spawn(process.execPath, [main, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  started.add(child)
  let stderr = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const closed = once(child, 'close')
  const line = once(createInterface(child.stdout!), 'line')
  const [first] = await Promise.race([line, closed.then(() => Promise.reject(new Error(stderr)))])
  const end = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    await closed
    return stderr
  }
  const { port, httpPort } = JSON.parse(first) as { port: number; httpPort: number }
  return { port, httpPort, end, [Symbol.asyncDispose]: async () => void (await end()) }
}

/** Sends a message, and trusts only the authority in this file. */
async function deliver(port: number, caFile: string): Promise<string> {
  const client = await connectClient({ port })
  try {
    await client.readReply()
    await ask(client, 'EHLO app.example')
    await startTls(client, { ca: readFileSync(caFile) })
    return await send(client, ['EHLO app.example', AUTH_PLAIN, ...mail()])
  } finally {
    client.destroy()
  }
}

const DELIVERED = '250 235 250 250 354 250'

describe('the certificate authority in --ca-file', () => {
  let directory: string
  let caFile: string
  let keyFile: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'authority-'))
    caFile = join(directory, 'ca.pem')
    keyFile = join(directory, 'ca.pem.key')
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  async function startOnce(): Promise<string> {
    await using program = await start('--ca-file', caFile)
    assert.equal(await deliver(program.port, caFile), DELIVERED)
    return program.end()
  }

  test('is made at the first start, valid for years, with a key that only its owner can read', LIMIT, async () => {
    assert.equal(await startOnce(), '')
    assert.deepEqual(readdirSync(directory).sort(), ['ca.pem', 'ca.pem.key'])
    assert.equal(statSync(keyFile).mode & 0o777, 0o600)
    const { validToDate } = new X509Certificate(readFileSync(caFile))
    assert.ok(validToDate.getTime() > Date.now() + 3 * 365 * DAY_MS)
  })

  test('is the same at later starts, also after a crash', LIMIT, async () => {
    const first = await start('--ca-file', caFile)
    const [pem, key, { mtimeMs }] = [readFileSync(caFile), readFileSync(keyFile), statSync(caFile)]
    await first.end('SIGKILL')
    assert.equal(await startOnce(), '')
    assert.equal(await startOnce(), '')
    assert.deepEqual([readFileSync(caFile), readFileSync(keyFile), statSync(caFile).mtimeMs], [pem, key, mtimeMs])
  })

  test('is still trusted by a proxy that read the file before the simulator restarted', LIMIT, async () => {
    const first = await start('--ca-file', caFile)
    const upstream = { PROXY_UPSTREAM: `smtp://localhost:${first.port}`, PROXY_UPSTREAM_CA_FILE: caFile }
    await using proxy = await startProxy(upstream)
    await first.end('SIGKILL')
    await using _again = await start('--ca-file', caFile, '--port', String(first.port))
    const client = await connectClient({ port: proxy.port })
    assert.match(await client.readReply(), /^220 rehearsal\.ahasend\.example/)
    assert.equal(await send(client, ['EHLO app.example', AUTH_PLAIN, ...mail()]), DELIVERED)
    client.destroy()
  })

  test(
    'issues a certificate that is valid as long as the authority: a container can run for months',
    LIMIT,
    async () => {
      await using program = await start('--ca-file', caFile)
      const client = await connectClient(program)
      await client.readReply()
      await ask(client, 'EHLO app.example')
      await startTls(client, { ca: readFileSync(caFile) })
      const { valid_to } = client.tls!.getPeerCertificate()
      assert.equal(Date.parse(valid_to), new X509Certificate(readFileSync(caFile)).validToDate.getTime())
      client.destroy()
    },
  )

  const soon = (days: number) => new Date(Date.now() + days * DAY_MS)
  const DAMAGES: Readonly<Record<string, () => Promise<void> | void>> = {
    'no key': () => rmSync(keyFile),
    'no certificate': () => rmSync(caFile),
    'half a key': () => writeFileSync(keyFile, readFileSync(keyFile).subarray(0, 60)),
    'an empty certificate': () => writeFileSync(caFile, ''),
    'a key file without a key': () => writeFileSync(keyFile, 'nonsense'),
    'the key of another authority': async () => writeFileSync(keyFile, (await makeAuthority()).keyPem),
    'a certificate that is not an authority': async () => {
      const { certPem, keyPem } = await (await makeAuthority()).issue()
      writeFileSync(caFile, certPem)
      writeFileSync(keyFile, keyPem)
    },
    'an authority that expires in 29 days': async () => {
      const { certPem, keyPem } = await makeAuthority('AhaSend Rehearsal', soon(29))
      writeFileSync(caFile, certPem)
      writeFileSync(keyFile, keyPem)
    },
  }
  for (const [what, damage] of Object.entries(DAMAGES))
    test(`is replaced, with a message, if there is ${what}`, LIMIT, async () => {
      await startOnce()
      const key = readFileSync(keyFile, 'utf8')
      await damage()
      const before = existsSync(caFile) ? readFileSync(caFile, 'utf8') : ''
      assert.match(await startOnce(), /^.*ca\.pem: made a new certificate authority, because .+ \(.+\)\. .+\n$/)
      assert.notEqual(readFileSync(caFile, 'utf8'), before)
      assert.notEqual(readFileSync(keyFile, 'utf8'), key)
      assert.equal(statSync(keyFile).mode & 0o777, 0o600)
      assert.equal(await startOnce(), '')
    })

  test('is kept if it expires in 31 days', LIMIT, async () => {
    const { certPem, keyPem } = await makeAuthority('AhaSend Rehearsal', soon(31))
    writeFileSync(caFile, certPem)
    writeFileSync(keyFile, keyPem)
    assert.equal(await startOnce(), '')
    assert.equal(readFileSync(caFile, 'utf8'), certPem)
  })

  test('in a missing directory stops the program at its start', LIMIT, async () => {
    await assert.rejects(start('--ca-file', join(directory, 'missing', 'ca.pem')), /ENOENT.*ca\.pem/)
  })
})

describe('the record of bodies', () => {
  for (const [flags, status, bodies] of [
    [[], 200, 1],
    [['--summary', '--bodies'], 200, 1],
    [['--summary'], 404, undefined],
  ] as const)
    test(`with ${flags.join(' ') || 'no flag'}: ${bodies ?? 'nothing'}`, LIMIT, async () => {
      await using program = await start('--no-tls', '--no-auth', ...flags)
      const client = await connectClient(program)
      await client.readReply()
      assert.equal(await send(client, ['EHLO app.example', ...mail()]), '250 250 250 354 250')
      client.destroy()
      const page = await fetch(`http://127.0.0.1:${program.httpPort}/ledger/bodies`)
      assert.equal(page.status, status)
      const answer = await page.text()
      if (bodies === undefined) assert.match(answer, /--bodies/)
      else assert.deepEqual(Object.values(JSON.parse(answer) as object), [bodies])
    })
})
