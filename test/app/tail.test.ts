/** The command `tail`: with a real proxy in front of the simulator, and with servers that are no proxy. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { Tail } from '../../status/tail/tail.ts'
import { ask, mail, send } from '../simulator/client.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { admin } from '../support/in-process/admin-rig.ts'
import type { ProxyProcess } from '../support/processes/proxy-process.ts'
import { loggedIn, startBefore } from '../support/processes/running-proxy.ts'
import { tailCommand } from '../support/status/tail-command.ts'
import { oneMail, reply, SessionStory } from '../support/telemetry/session-events.ts'
import { until } from '../support/waiting/until.ts'

const ENV = { PROXY_CLIENTS: 'billing=127.0.0.2/32,shop=127.0.0.0/8' }
const HEADING = /^TIME +APP +COMMAND +REPLY +CAUSE +OUTCOME +SIZE +AHASEND +TOTAL +TRACE OR SESSION$/m

for (const workers of ['1', '2']) {
  describe(`tail of a proxy with ${workers} event loops`, () => {
    let simulator: Simulator
    let proxy: ProxyProcess

    before(async () => {
      simulator = await startSimulator()
      proxy = await startBefore(simulator, { ...ENV, PROXY_WORKERS: workers })
    })
    after(async () => {
      await proxy.stop()
      await simulator.close()
    })

    const url = () => `http://127.0.0.1:${proxy.adminPort}`

    test('shows each command and each message of each session, and Ctrl-C ends it with a summary', async (context) => {
      const tail = tailCommand(context, [], { PROXY_ADMIN: url() })
      await tail.connected()
      const clients = await loggedIn(proxy, 4)
      for (const client of clients) await send(client)
      for (const client of clients) {
        await ask(client, 'QUIT')
        client.destroy()
      }
      const commands = ['CONNECT', 'EHLO', 'AUTH', 'MAIL', 'RCPT', 'DATA', 'END-OF-MESSAGE', 'message', 'QUIT']
      await until(
        () => tail.stdout,
        () => tail.lines().length === 4 * commands.length,
      )
      const [line = ''] = tail.lines().filter((text) => text.includes(' message '))
      assert.match(
        line,
        /^\d\d:\d\d:\d\d\.\d{3} {2}shop {8}message {9}250 {8}- {21}accepted +26 B +[\d.]+ ms +[\d.]+ ms {2}[\da-f-]{36}$/,
      )
      for (const command of commands) {
        assert.equal(tail.lines().filter((text) => text.split(/ +/)[2] === command).length, 4, command)
      }
      assert.match(tail.stdout, HEADING)
      assert.equal(await tail.interrupt(), 0)
      assert.equal(tail.stderr, `Connected to ${url()}. Ctrl-C ends.\n36 lines shown, 0 lost.\n`)
    })

    test('filters, and names the cause', async (context) => {
      const args = ['--url', url(), '--code', '5xx', '--cause', 'account_disabled', '--outcome', 'permfail', '--json']
      const tail = tailCommand(context, args)
      await tail.connected()
      const [client] = await loggedIn(proxy, 1)
      await send(client!)
      simulator.faults.set('521-at-mail', { times: 1 })
      await send(client!)
      client!.destroy()
      const line = JSON.parse(await tail.line(/"message"/))
      const { code, enhancedCode, cause, outcome, app, sender } = line
      assert.deepEqual(
        [code, enhancedCode, cause, outcome, app, sender],
        [521, '5.3.2', 'account_disabled', 'permfail', 'shop', undefined],
      )
      assert.equal(await tail.interrupt(), 0)
      assert.equal(tail.lines().length, 1)
    })

    test('an app that the proxy does not know is refused with the known ones', async (context) => {
      const tail = tailCommand(context, ['--app', 'bill', '--url', url()])
      assert.equal(await tail.exited, 2)
      assert.equal(tail.stderr, '--app: got "bill", expected one of billing, shop, other\n')
    })
  })
}

test('the last lines are shown when the proxy stops, and the command says so', async (context) => {
  await using simulator = await startSimulator()
  const proxy = await startBefore(simulator, { PROXY_RECORD_ADDRESSES: 'domain' })
  context.after(() => proxy.stop('SIGKILL'))
  const tail = tailCommand(context, ['--outcome', 'accepted', '--url', `http://127.0.0.1:${proxy.adminPort}`])
  await tail.connected()
  const [client] = await loggedIn(proxy, 1)
  for (const line of mail().slice(0, 3)) await ask(client!, line)
  const stopped = proxy.stop()
  await proxy.line(({ msg }) => msg === 'drain')
  assert.match(await ask(client!, mail()[3]!), /^250 /)
  client!.destroy()
  assert.equal(await stopped, 0)
  assert.equal(await tail.exited, 0)
  assert.match(tail.lines().join('\n'), /^.* accepted .* from example\.com$/)
  assert.match(tail.stderr, /\nThe proxy stopped\. 1 line shown, 0 lost\.\n$/)
})

test('a connection that is cut while the proxy runs is not called a stop', async (context) => {
  const { port, close } = await admin(context, { streams: new Map([['/tail', new Tail([]).stream]]) })
  const tail = tailCommand(context, ['--url', `http://127.0.0.1:${port}`])
  await tail.connected()
  await close()
  assert.equal(await tail.exited, 0)
  assert.match(tail.stderr, /\nThe connection to the proxy was cut\. 0 lines shown, 0 lost\.\n$/)
})

describe('without a tail to read', () => {
  const FAILURES: readonly [
    what: string,
    args: readonly string[],
    env: Record<string, string>,
    code: number,
    says: RegExp,
  ][] = [
    [
      'no proxy',
      [],
      { PROXY_ADMIN: 'http://127.0.0.1:1' },
      1,
      /^No proxy answers at http:\/\/127\.0\.0\.1:1: connect ECONNREFUSED 127\.0\.0\.1:1\. Is it running.*\n$/,
    ],
    ['no admin server', [], { PROXY_ADMIN: 'off' }, 1, /^PROXY_ADMIN is off, so .*\n$/],
    [
      'a free port',
      [],
      { PROXY_ADMIN: 'http://127.0.0.1:0' },
      2,
      /^PROXY_ADMIN: got "http:\/\/127\.0\.0\.1:0", expected a URL with/,
    ],
    ['a wrong setting', [], { PROXY_ADMIN: 'localhost' }, 2, /^PROXY_ADMIN: got "localhost", expected a URL such as/],
    ['a wrong URL', ['--url=x'], {}, 2, /^--url: got "x", expected a URL such as http:\/\/127\.0\.0\.1:9464\n$/],
    ['no value', ['--app', '--json'], {}, 2, /^--app: got nothing, expected a value\n$/],
    ['a value too many', ['--json=1'], {}, 2, /^--json: got "1", expected no value\n$/],
    ['an unknown argument', ['bill'], {}, 2, /^unknown argument "bill": expected --app, --code, .*\n$/],
    [
      'several mistakes',
      ['--slow', '2', '--code=1xx', '--code', '4xx'],
      {},
      2,
      /^--slow: got "2", expected a duration .*\n--code: got "1xx", expected a reply code .*\n$/,
    ],
  ]
  for (const [what, args, env, code, says] of FAILURES) {
    test(`${what}: exit code ${code}, and one sentence for each mistake`, async (context) => {
      const tail = tailCommand(context, args, env)
      assert.equal(await tail.exited, code)
      assert.match(tail.stderr, says)
      assert.equal(tail.stdout, '')
    })
  }

  test('a server that is no proxy: exit code 1', async (context) => {
    const server = createServer((_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    context.after(() => server.close())
    const tail = tailCommand(context, ['--url', `http://127.0.0.1:${(server.address() as AddressInfo).port}`])
    assert.equal(await tail.exited, 1)
    assert.match(tail.stderr, /has no \/tail \(HTTP 404\)/)
  })

  test('a proxy with too many readers: exit code 1', async (context) => {
    const stream = () => () => {}
    const { port } = await admin(context, { streams: new Map([['/tail', stream]]), limits: { streams: 0 } })
    const tail = tailCommand(context, ['--url', `http://127.0.0.1:${port}`])
    assert.equal(await tail.exited, 1)
    assert.match(tail.stderr, /^The proxy at .* has too many readers/)
  })

  test('--help explains the arguments, also beside wrong ones', async (context) => {
    const tail = tailCommand(context, ['--code', 'x', '--help'])
    assert.equal(await tail.exited, 0)
    for (const name of ['app', 'code', 'cause', 'outcome', 'slow', 'json', 'url'])
      assert.match(tail.stdout, new RegExp(`--${name} `))
  })
})

/** Reports messages in sessions of their own, with a turn of the event loop after each hundred. */
async function flood(tail: Tail, sessions: number): Promise<void> {
  for (let count = 1; count <= sessions; count += 1) {
    oneMail().tell(tail)
    if (count % 100 === 0) await new Promise(setImmediate)
  }
}

/** More than the buffers of the pipe, of both ends of the connection and of the queue hold: about 26 MB. */
const SESSIONS = 20_000

test('a reader that is too slow loses lines, is shown how many, and then gets further ones', async (context) => {
  const tail = new Tail(['billing'])
  const { port } = await admin(context, { streams: new Map([['/tail', tail.stream]]) })
  const command = tailCommand(context, ['--json', '--url', `http://127.0.0.1:${port}`])
  await command.connected()
  command.pause()
  await flood(tail, SESSIONS)
  command.resume()
  const counts = () => {
    const lines = command.lines()
    const lost = lines.reduce((sum, line) => sum + Number(/^\{"lost":(\d+)\}$/.exec(line)?.[1] ?? 0), 0)
    return { lost, shown: lines.filter((line) => !line.startsWith('{"lost"')).length }
  }
  await until(
    () => `each line is shown or counted: ${JSON.stringify(counts())}`,
    () => counts().shown + counts().lost === 8 * SESSIONS,
    { everyMs: 250 },
  )
  const { shown, lost } = counts()
  assert.ok(lost > 0)
  new SessionStory().exchange('RSET', reply(250)).tell(tail)
  await command.line(/"RSET"/)
  assert.equal(await command.interrupt(), 0)
  assert.ok(command.stderr.endsWith(`\n${shown + 1} lines shown, ${lost} lost.\n`), command.stderr)
})
