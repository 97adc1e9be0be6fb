/**
 * The life of the Debian package on a host with systemd: installation, certificate, mistakes, upgrade with a message in flight,
 * removal and purge. The tests are steps, each of which needs the one before.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { buildDeb } from '../../packaging/deb/build.ts'
import { ownArchitecture } from '../../packaging/deb/node-program.ts'
import { blockWith, readPage, sectionOf } from '../docs/page.ts'
import { AUTH_PLAIN, ask, mail } from '../simulator/client.ts'
import { DEFAULT_ACCOUNT, type Simulator, startSimulator } from '../simulator/simulator.ts'
import { type DebianHost, startDebianHost } from '../support/containers/debian-host.ts'
import { engineMissing, IMAGES, imageMissing } from '../support/containers/engine.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import { inBody } from '../support/processes/running-proxy.ts'
import { installed } from '../support/programs/installed.ts'
import { unless } from '../support/programs/programs.ts'
import { connectClient, type Peer, startTls } from '../support/sockets/scripted-peers.ts'
import { type Authority, makeAuthority } from '../support/tls/certificates.ts'
import { until } from '../support/waiting/until.ts'

const UNIT = 'ahasend-smtp-proxy'
const PROBE = 'ahasend-smtp-proxy-probe'
const ETC = '/etc/ahasend-smtp-proxy'
const SETTINGS = `${ETC}/proxy.env`

const needed = [engineMissing(), imageMissing(IMAGES.NODE_IMAGE), installed('dpkg-deb')]

describe('The Debian package on a host with systemd', unless(...needed), () => {
  const work = temporaryDirectory('packages-')
  let host: DebianHost
  let simulator: Simulator
  let authority: Authority

  before(async () => {
    authority = await makeAuthority()
    const certificate = await authority.issue({ dnsNames: ['simulator'] })
    simulator = await startSimulator({ host: '0.0.0.0', authority, certificate })
    for (const version of ['0.0.1', '0.0.2-rc.1'])
      await buildDeb({ architecture: ownArchitecture(), folder: work.path, epoch: 0, version, compression: 'none' })
    writeFileSync(join(work.path, 'ca.pem'), authority.certPem)
    host = await startDebianHost(work.path)
  })
  after(async () => {
    host?.remove()
    await simulator?.close()
    work.remove()
  })

  const packageFile = (version: string) => `/packages/ahasend-smtp-proxy_${version}_${ownArchitecture()}.deb`
  const install = (version: string) => `DEBIAN_FRONTEND=noninteractive apt-get install -y -q ${packageFile(version)}`
  const property = (name: string, unit = UNIT) => host.run(`systemctl show --property ${name} --value ${unit}`)
  const log = (unit = UNIT) => host.run(`journalctl --unit ${unit} --output cat --no-pager`)
  const write = (path: string, text: string) => host.run(`umask 077; cat >${path} <<'END'\n${text}\nEND`)
  const pid = async () => Number(await property('MainPID'))
  const accepted = () => simulator.ledger.summary().messages.accepted

  const connected = async (): Promise<Peer> => {
    const client = await connectClient({ port: host.port, limitMs: 20_000 })
    assert.match(await client.readReply(), /^220 /)
    assert.match(await ask(client, 'EHLO app.example'), /^250/)
    return client
  }
  const loggedIn = async (): Promise<Peer> => {
    const client = await connected()
    assert.match(await ask(client, AUTH_PLAIN), /^235 /)
    return client
  }
  /** Without QUIT, the engine's port forwarding may keep the connection open, and a drain waits for it. */
  const quit = async (client: Peer) => {
    await ask(client, 'QUIT')
    await client.end()
  }
  const serial = async (): Promise<string | undefined> => {
    const client = await connected()
    await startTls(client, { ca: authority.certPem, servername: 'smtp.internal' })
    assert.match(await ask(client, 'EHLO app.example'), /^250/)
    const found = client.tls?.getPeerCertificate().serialNumber
    await quit(client)
    return found
  }

  test('is installed by one command, which starts the proxy and not the probe', async () => {
    await host.run(install('0.0.1'))
    assert.equal(await host.run(`systemctl is-active ${UNIT}`), 'active')
    assert.equal(await host.run(`systemctl is-enabled ${UNIT}`), 'enabled')
    assert.equal(await host.run(`systemctl is-enabled ${PROBE} || true`), 'disabled')
    assert.equal(await property('ActiveState', PROBE), 'inactive')
  })

  test('listens only on this machine', async () => {
    const listening = await host.run(`awk '$4 == "0A" { print $2 }' /proc/net/tcp /proc/net/tcp6`)
    // 127.0.0.1 in the notation of the kernel, with the ports 2525 and 9464
    assert.deepEqual(listening.split('\n').sort(), ['0100007F:09DD', '0100007F:24F8'])
  })

  test('runs as a user other than root, without capabilities and with a filter of system calls', async () => {
    const status = await host.run(`cat /proc/${await pid()}/status`)
    const [, user] = /^Uid:\t(\d+)\t/m.exec(status) ?? []
    assert.ok(Number(user) > 60_000, `a dynamic user: ${user}`)
    for (const line of [/^CapPrm:\t0+$/m, /^CapBnd:\t0+$/m, /^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m])
      assert.match(status, line)
  })

  test('is active only when it listens', async () => {
    const greeting = 'exec 3<>/dev/tcp/127.0.0.1/2525; head --bytes 3 <&3'
    for (let run = 0; run < 3; run++)
      assert.match(await host.run(`systemctl restart ${UNIT}; ${greeting}`), /^(220|421)$/)
  })

  test('relays mail after its settings were changed', async () => {
    await host.run(`install -m 644 /packages/ca.pem ${ETC}/ca.pem`)
    const settings = {
      PROXY_LISTEN: 'smtp://0.0.0.0:2525,smtp://127.0.0.1:2599?client=probe',
      PROXY_UPSTREAM: `smtp://simulator:${simulator.port}`,
      PROXY_UPSTREAM_CA_FILE: `${ETC}/ca.pem`,
    }
    for (const [name, value] of Object.entries(settings))
      await host.run(`sed -i 's|^#${name}=.*|${name}=${value}|' ${SETTINGS}`)
    await host.run(`systemctl restart ${UNIT}`)
    const client = await loggedIn()
    for (const line of mail()) assert.match(await ask(client, line), /^(250|354) /)
    await quit(client)
    assert.equal(accepted(), 1)
  })

  test('serves a certificate and a key that only root can read', async () => {
    const { certPem, keyPem } = await authority.issue({ dnsNames: ['smtp.internal'] })
    await write(`${ETC}/tls/cert.pem`, certPem)
    await write(`${ETC}/tls/key.pem`, keyPem)
    await host.run(`sed -i -E 's|^#(PROXY_TLS_(CERT\\|KEY)_FILE=)|\\1|' ${SETTINGS}; systemctl restart ${UNIT}`)
    assert.ok(await serial())
  })

  test('serves a renewed certificate after a reload, without a new process and without an end of open sessions', async () => {
    const [before, process, open] = [await serial(), await pid(), await loggedIn()]
    const { certPem, keyPem } = await authority.issue({ dnsNames: ['smtp.internal'] })
    // links, as an ACME client has them
    await host.run(
      `mkdir -m 700 /etc/live; ln -sf /etc/live/key.pem ${ETC}/tls/key.pem; ln -sf /etc/live/cert.pem ${ETC}/tls/cert.pem`,
    )
    await write('/etc/live/cert.pem', certPem)
    await write('/etc/live/key.pem', keyPem)
    await host.run(`systemctl reload ${UNIT}`)
    await until('another certificate', async () => (await serial()) !== before, { everyMs: 100 })
    assert.equal(await pid(), process)
    assert.match(await ask(open, 'NOOP'), /^250 /)
    await quit(open)
  })

  test('listens on a port below 1024 with the lines of docs/linux.md, and not without them', async () => {
    const lines = blockWith(sectionOf(readPage('linux.md'), 'Ports below 1024'), 'AmbientCapabilities')
    const override = `/etc/systemd/system/${UNIT}.service.d/override.conf`
    // an engine allows every user all ports
    await host.run('echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start')
    await host.run(`cp ${SETTINGS} /tmp/settings; sed -i 's|^PROXY_LISTEN=|&smtp://127.0.0.1:587,|' ${SETTINGS}`)
    await host.run(`! systemctl restart ${UNIT}`)
    await write('/tmp/override', lines)
    await host.run(`install -D /tmp/override ${override}; systemctl daemon-reload; systemctl restart ${UNIT}`)
    assert.match(await host.run('exec 3<>/dev/tcp/127.0.0.1/587; head --bytes 3 <&3'), /^220$/)
    await host.run(
      `cat /tmp/settings >${SETTINGS}; rm -r ${override}; systemctl daemon-reload; systemctl restart ${UNIT}`,
    )
  })

  test('does not restart after a mistake in the settings, and the log names the setting', async () => {
    await host.run(`cp ${SETTINGS} /tmp/settings; echo PROXY_LISTN=1 >>${SETTINGS}; ! systemctl restart ${UNIT}`)
    assert.deepEqual(
      [await property('ActiveState'), await property('Result'), await property('NRestarts')],
      ['failed', 'exit-code', '0'],
    )
    assert.match(await log(), /PROXY_LISTN: there is no such setting/)
    assert.match(
      await host.run(`! ${UNIT} check-names 2>&1`),
      /PROXY_LISTN: there is no such setting/,
      'commands read the settings',
    )
    await host.run(`cat /tmp/settings >${SETTINGS}; systemctl restart ${UNIT}`)
  })

  test('restarts after a crash', async () => {
    const crashed = await pid()
    await host.run(`systemctl kill --signal KILL ${UNIT}`)
    await until(
      'a new process',
      async () => ![0, crashed].includes(await pid()) && (await property('ActiveState')) === 'active',
      {
        everyMs: 200,
      },
    )
  })

  test('has a probe with a login that only root can read', async () => {
    await write(`${ETC}/probe/login`, `${DEFAULT_ACCOUNT.user}\n${DEFAULT_ACCOUNT.pass}`)
    const path = `/run/credentials/${PROBE}.service/probe_login`
    await write(
      '/tmp/probe',
      `PROBE_TARGET=smtp://127.0.0.1:2599\nPROBE_LOGIN_FILE=${path}\nPROBE_FROM=probe@example.com\nPROBE_TLS=unverified`,
    )
    await host.run(`cat /tmp/probe >>${ETC}/probe.env; systemctl enable --now ${PROBE} 2>&1`)
    const metrics = `(exec 3<>/dev/tcp/127.0.0.1/9465; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3) 2>/dev/null || true`
    await until('a success', async () => /^smtp_proxy_probe_success(\{.*\})? 1$/m.test(await host.run(metrics)), {
      everyMs: 200,
    })
    assert.doesNotMatch(await log(PROBE), /probe failed/)
  })

  test('lets a message in flight finish during an upgrade, once, and keeps the settings', async () => {
    const [before, process, settings] = [accepted(), await pid(), await host.run(`cat ${SETTINGS}`)]
    const [sending, idle] = [await loggedIn(), await loggedIn()]
    await inBody(sending, 'upgraded')
    const upgraded = host.run(install('0.0.2~rc.1'))
    assert.match(await idle.readReply(), /^421 /)
    assert.match(await ask(sending, 'the other half\r\n.'), /^250 /)
    await Promise.all([sending.end(), idle.end()])
    await upgraded
    assert.equal(accepted(), before + 1)
    assert.equal(await host.run(`dpkg-query --show ${UNIT}`), `${UNIT}\t0.0.2~rc.1`)
    assert.notEqual(await pid(), process)
    assert.equal(await property('ActiveState', PROBE), 'active')
    assert.equal(await host.run(`cat ${SETTINGS}`), settings)
    const client = await loggedIn()
    for (const line of mail()) assert.match(await ask(client, line), /^(250|354) /)
    await quit(client)
  })

  test('stops when it is removed, and keeps the settings', async () => {
    await host.run(`apt-get remove -y -q ${UNIT}`)
    assert.equal(await host.run('cat /proc/[0-9]*/comm | grep -c -e node -e MainThread || true'), '0')
    await host.run(`test -e ${SETTINGS}; ! test -e /usr/lib/ahasend-smtp-proxy`)
  })

  test('leaves nothing when it is purged', async () => {
    await host.run(`apt-get purge -y -q ${UNIT}`)
    assert.equal(await host.run("find / -xdev -name '*ahasend*'; find /run /tmp -name '*ahasend*'"), '')
    assert.equal(await host.run('grep -l ahasend /var/lib/dpkg/status /etc/passwd /etc/group || true'), '')
  })
})
