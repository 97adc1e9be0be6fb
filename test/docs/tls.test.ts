/** Runs the commands of docs/tls.md, and starts the proxy with the settings and files of the page. */
import assert from 'node:assert/strict'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ask } from '../simulator/client.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/files/temporary-files.ts'
import type { ProxyProcess } from '../support/processes/proxy-process.ts'
import { startBefore } from '../support/processes/running-proxy.ts'
import { unless } from '../support/programs/programs.ts'
import { connectClient } from '../support/sockets/scripted-peers.ts'
import { blockWith, codeOf, replaced, rowsOf } from './page.ts'
import { needsOpenssl, needsProgram, shell, succeed } from './shell.ts'
import { certificateCommands, HOST, PORT, renewCommand, tlsSection } from './tls-page.ts'

const LOGIN = { SMTP_USER: 'app-user', SMTP_PASSWORD: 'app-password' }
/** Where the page copies the files for the proxy. */
const COPIES = '/etc/ssl/smtp-proxy'

const needsSwaks = await needsProgram('swaks', '--version')
const needsRoot = unless(process.getuid?.() === 0 ? undefined : 'only root may give files to user 1000')

/** The settings of a line or of a file, without quotes. */
function settingsIn(code: string): Readonly<Record<string, string>> {
  const found = [...code.matchAll(/(?<name>[A-Z_]+)=(?:'(?<quoted>[^']*)'|(?<bare>\S+))/g)]
  return Object.fromEntries(found.map(({ groups }) => [groups?.name, groups?.quoted ?? groups?.bare]))
}

/** Settings with paths in another directory. */
function inDirectory(paths: Readonly<Record<string, string>>, from: string, to: string): Record<string, string> {
  return Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, replaced(path, from, to)]))
}

/** A listener of the page, on a free port of the loopback interface. */
function here(listener: string): string {
  return replaced(listener, `0.0.0.0:${PORT}`, '127.0.0.1:0')
}

describe('The commands of docs/tls.md', needsOpenssl, () => {
  const authority = tlsSection('A private authority')
  const check = tlsSection('Check it')
  let files: TemporaryDirectory
  let simulator: Simulator
  let proxy: ProxyProcess

  before(async () => {
    files = temporaryDirectory('tls-')
    await succeed(files.path, certificateCommands())
    simulator = await startSimulator({ accounts: { [LOGIN.SMTP_USER]: LOGIN.SMTP_PASSWORD } })
    proxy = await startBefore(simulator, startSettings())
  })
  after(async () => {
    await proxy?.stop()
    await simulator?.close()
    files?.remove()
  })

  /** The settings of the page's start command, and a listener with TLS from the first byte. */
  function startSettings() {
    const command = blockWith(authority, 'npm start')
    assert.match(command, / npm start$/)
    const { PROXY_LISTEN = '', ...paths } = settingsIn(command)
    return { ...inDirectory(paths, COPIES, files.path), PROXY_LISTEN: `${here(PROXY_LISTEN)},smtps://127.0.0.1:0` }
  }

  /** A command of the page for this host and port. */
  const onPort = (command: string, port = proxy.port) => replaced(replaced(command, HOST, 'localhost'), PORT, `${port}`)

  test('create keys that only their owner can read', () => {
    for (const name of ['ca-key.pem', 'key.pem']) assert.equal(statSync(join(files.path, name)).mode & 0o777, 0o600)
  })

  test('create an authority that can issue a certificate for no other name', async () => {
    const other = temporaryDirectory('tls-other-')
    try {
      await succeed(files.path, `cp ca.pem ca-key.pem '${other.path}'`)
      await succeed(other.path, replaced(renewCommand(), 'localhost', 'example.com'))
      const { code, stderr } = await shell(other.path, 'openssl verify -CAfile ca.pem cert.pem')
      assert.notEqual(code, 0)
      assert.match(stderr, /permitted subtree violation/)
    } finally {
      other.remove()
    }
  })

  test('verify the certificate with openssl, with STARTTLS and on smtps://', async () => {
    const command = blockWith(check, 's_client')
    const onSmtps = onPort(replaced(command, ' -starttls smtp', ''), proxy.ports[1])
    for (const one of [onPort(command), onSmtps]) {
      const output = await succeed(files.path, one)
      assert.match(output, /^Verification: OK$/m)
      assert.match(output, /^Verified peername: localhost$/m)
    }
  })

  test('log in and send a message with swaks', needsSwaks, async () => {
    const count = simulator.ledger.messages.length
    await succeed(files.path, onPort(blockWith(check, 'swaks')), LOGIN)
    assert.deepEqual(
      simulator.ledger.messages.slice(count).map(({ code }) => code),
      [250],
    )
  })

  test('make the proxy show when the certificate expires', async () => {
    const [, metric] = /`(smtp_proxy_certificate_\w+\{[^}]*\})`/.exec(tlsSection('Expiry').text) ?? []
    const [name = '', label = ''] = metric?.split(/[{}]/) ?? []
    const line = (await proxy.metrics()).split('\n').find((one) => one.startsWith(`${name}{`) && one.includes(label))
    const expires = Number(line?.split(' ').at(-1)) * 1000
    assert.equal(Math.round((expires - Date.now()) / 86_400_000), 825)
  })

  test('create an RSA key that old libraries can use with PROXY_TLS_CIPHERS=old', async () => {
    const [, instead = '', ec = ''] = /`(-newkey rsa[^`]*)` instead of `([^`]*)`/.exec(oldLibraries()) ?? []
    const withRsa = replaced(renewCommand(), ec, instead)
    await succeed(files.path, replaced(withRsa, ' key.pem -out cert.pem', ' rsa-key.pem -out rsa.pem'))
    const settings = {
      ...{ PROXY_TLS_CERT_FILE: join(files.path, 'rsa.pem'), PROXY_TLS_KEY_FILE: join(files.path, 'rsa-key.pem') },
      ...settingsIn(/`(PROXY_TLS_CIPHERS=\w+)`/.exec(oldLibraries())![1]!),
    }
    const old = await startBefore(simulator, settings)
    try {
      const command = replaced(blockWith(check, 's_client'), ' -brief', ' -brief -tls1_2 -cipher AES128-SHA')
      assert.match(await succeed(files.path, onPort(command, old.port)), /^Ciphersuite: AES128-SHA$/m)
    } finally {
      await old.stop()
    }
  })

  function oldLibraries(): string {
    return tlsSection('Old TLS libraries').text.replaceAll('\n', ' ')
  }

  test('copy the files so that user 1000 can read them, and certbot renews them', needsRoot, async () => {
    const copies = join(files.path, 'copies')
    const copy = replaced(blockWith(authority, 'install -d'), COPIES, copies)
    await succeed(files.path, copy)
    const docker = await startBefore(simulator, dockerSettings(copies))
    try {
      const lineage = join(files.path, 'lineage')
      mkdirSync(lineage)
      const hook = join(files.path, 'hook')
      const acme = tlsSection("A certificate from Let's Encrypt or another ACME authority")
      writeFileSync(hook, replaced(blockWith(acme, 'RENEWED_LINEAGE'), COPIES, copies), { mode: 0o700 })
      await succeed(files.path, certificateCommands())
      await succeed(files.path, `cp cert.pem '${lineage}/fullchain.pem'; cp key.pem '${lineage}/privkey.pem'`)
      await succeed(files.path, hook, { RENEWED_LINEAGE: lineage })
      await docker.line(({ msg }) => msg === 'certificate reloaded')
      const output = await succeed(files.path, onPort(blockWith(check, 's_client'), docker.port))
      assert.match(output, /^Verification: OK$/m)
    } finally {
      await docker.stop()
    }
    const { uid, mode } = statSync(join(copies, 'key.pem'))
    assert.deepEqual({ uid, mode: mode & 0o777 }, { uid: 1000, mode: 0o400 })
  })

  /** The settings of the page for Docker, with the mounted directory. */
  function dockerSettings(directory: string) {
    const { CERTIFICATES, PROXY_LISTEN = '', ...paths } = settingsIn(blockWith(authority, 'CERTIFICATES='))
    assert.equal(CERTIFICATES, COPIES)
    return { ...inDirectory(paths, '/certificates', directory), PROXY_LISTEN: here(PROXY_LISTEN) }
  }
})

describe('The listeners of docs/tls.md', needsOpenssl, () => {
  test('offer login before TLS, after STARTTLS only, and only inside TLS', async () => {
    using files = temporaryDirectory('tls-')
    await succeed(files.path, certificateCommands())
    await using simulator = await startSimulator()
    const listeners = rowsOf(tlsSection('Listeners')).map(([listener = '']) => here(codeOf(listener)))
    await using proxy = await startBefore(simulator, {
      PROXY_LISTEN: listeners.join(','),
      PROXY_TLS_CERT_FILE: join(files.path, 'cert.pem'),
      PROXY_TLS_KEY_FILE: join(files.path, 'key.pem'),
    })
    const [optional, required] = await Promise.all([capabilities(proxy.ports[0]!), capabilities(proxy.ports[1]!)])
    assert.match(optional, /STARTTLS/)
    assert.match(optional, /AUTH /)
    assert.match(required, /STARTTLS/)
    assert.doesNotMatch(required, /AUTH /)
    await succeed(
      files.path,
      `openssl s_client -connect localhost:${proxy.ports[2]} -CAfile ca.pem -verify_return_error </dev/null`,
    )
  })

  async function capabilities(port: number): Promise<string> {
    const client = await connectClient({ port })
    try {
      await client.readReply()
      const reply = await ask(client, 'EHLO app.example')
      if (!reply.includes('AUTH ')) assert.match(await ask(client, 'MAIL FROM:<app@example.com>'), /^530 /)
      return reply
    } finally {
      client.destroy()
    }
  }
})
