/** Connections that fail for a shortage of this machine, not because of the upstream. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { shortageOf } from '../../../proxy/net/shortage.ts'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { startDialRig } from '../../support/in-process/dial-rig.ts'
import { withoutDescriptors } from '../../support/in-process/no-descriptors.ts'
import { Names } from '../../support/in-process/resolver.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { exhaustDescriptors, prlimitMissing } from '../../support/processes/file-descriptors.ts'
import { startProxy } from '../../support/processes/proxy-process.ts'
import { unless } from '../../support/programs/programs.ts'

const IPV4 = '192.0.2.1'

function failure(code: string, address?: string): Error {
  return Object.assign(new Error(code), { code, address })
}

describe('a shortage of this machine', () => {
  const SHORTAGES: readonly (readonly [string, RegExp])[] = [
    ['EMFILE', /file descriptor limit .*ulimit -n/],
    ['ENFILE', /fs\.file-max/],
    ['EADDRNOTAVAIL', /ip_local_port_range/],
    ['ENOBUFS', /memory/],
    ['ENOMEM', /memory/],
  ]
  for (const [code, advice] of SHORTAGES) {
    test(`${code} is one, and the advice names the limit to raise`, () =>
      assert.match(shortageOf(failure(code, IPV4)) ?? '', advice))
  }

  test('EADDRNOTAVAIL for an IPv6 address is not one: a host without IPv6 reports it', () =>
    assert.equal(shortageOf(failure('EADDRNOTAVAIL', '2001:db8::1')), undefined))

  for (const error of [failure('ECONNREFUSED', IPV4), failure('ETIMEDOUT', IPV4), failure('toString'), undefined, 1]) {
    test(`${(error as NodeJS.ErrnoException | undefined)?.code ?? error} is not one`, () =>
      assert.equal(shortageOf(error), undefined))
  }
})

describe('a dial that fails for a shortage of descriptors', () => {
  let trust: Trust
  before(async () => {
    trust = await makeTrust(['mail.test'])
  })
  after(() => trust.remove())

  async function dialOf(host: string): Promise<void> {
    await using rig = await startDialRig([`${host}:587`], trust)
    const client = await rig.connect()
    assert.equal(await client.readReply(), localReplies.EXHAUSTED.bytes.toString())
    await client.end()
    const session = await rig.recorder.closed()
    const { error, detail, advice } = session.one('dial')
    assert.deepEqual([error, detail], ['local_resources_exhausted', 'EMFILE'])
    assert.match(advice ?? '', /file descriptor limit/)
    const { cause, origin } = session.one('greeting').reply
    assert.deepEqual([cause, origin], ['local_resources_exhausted', 'proxy'])
  }

  test('the resolver has no descriptor left', async () => {
    using _ = new Names({ 'mail.test': 'EMFILE' })
    await dialOf('mail.test')
  })

  test('the resolver reports no answer, and no descriptor is left', async (context) => {
    withoutDescriptors(context)
    using _ = new Names({ 'mail.test': 'EAI_AGAIN' })
    await dialOf('mail.test')
  })

  test('the first address fails for the shortage and the last one refuses: the shortage is reported', async (context) => {
    const { connect } = net
    const failing = { '192.0.2.1': 'EMFILE', '192.0.2.2': 'ECONNREFUSED' } as Readonly<Record<string, string>>
    context.mock.method(net, 'connect', (options: net.TcpNetConnectOpts) => {
      const code = failing[options.host ?? '']
      if (code === undefined) return connect(options)
      return new net.Socket().destroy(failure(code, options.host))
    })
    using _ = new Names({ 'mail.test': ['192.0.2.1', '192.0.2.2'] })
    await dialOf('mail.test')
  })
})

describe('a proxy without a descriptor left (MEM-03)', unless(prlimitMissing()), () => {
  for (const host of ['127.0.0.1', 'localhost']) {
    test(`at ${host}: the client gets 421 4.3.2, and the log has the advice`, async () => {
      await using simulator = await startSimulator()
      await using proxy = await startProxy({
        PROXY_UPSTREAM: `smtp://${host}:${simulator.port}`,
        PROXY_UPSTREAM_CA_FILE: simulator.caFile,
        PROXY_WARM_CONNECTIONS: '0',
      })
      assert.deepEqual(await exhaustDescriptors(proxy), [localReplies.EXHAUSTED.bytes.toString()])
      const line = await proxy.line(({ msg }) => msg === 'dial failed')
      assert.deepEqual([line['error.type'], line['smtp.dial.detail']], ['local_resources_exhausted', 'EMFILE'])
      assert.match(String(line.advice), /^raise the file descriptor limit/)
      const page = await proxy.metrics()
      assert.match(page, /^smtp_proxy_upstream_dials_total\{error_type="local_resources_exhausted",.*\} [1-9]/m)
      assert.match(page, /^smtp_proxy_replies_total\{.*smtp_reply_cause="local_resources_exhausted".*\} [1-9]/m)
      assert.doesNotMatch(page, /^smtp_proxy_upstream_dials_total\{error_type="(connect|resolve)_\w+",.*\} [1-9]/m)
    })
  }
})
