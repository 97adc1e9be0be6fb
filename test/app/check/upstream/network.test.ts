/** What `check` finds out about names and ports. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import type { Outcome } from '../../../../app/check/steps/step.ts'
import { dnsSteps, portSteps } from '../../../../app/check/upstream/network.ts'
import { nothingDialled } from '../../../../app/check/upstream/upstreams.ts'
import type { Config } from '../../../../proxy/settings/config.ts'
import { parseConfig } from '../../../../proxy/settings/settings.ts'
import { openBlackHole } from '../../../support/sockets/black-hole.ts'
import { listenOnLoopback } from '../../../support/sockets/listen.ts'

const signal = new AbortController().signal

function configFor(upstreams: string): Config {
  const parsed = parseConfig({ PROXY_UPSTREAM: upstreams, PROXY_DIAL_TIMEOUT: '100ms' })
  assert.ok('config' in parsed)
  return parsed.config
}

test('a name is resolved once, with its addresses by family; an address needs no name server', async () => {
  const config = configFor('smtp://a.example:587,smtp://a.example:25,smtp://192.0.2.1:587')
  const find = async () => [
    { address: '192.0.2.7', family: 4 },
    { address: '192.0.2.8', family: 4 },
  ]
  const [step, ...others] = dnsSteps(config, find)
  assert.deepEqual(others, [])
  assert.equal(step?.title, 'name a.example')
  assert.equal((await step?.run(signal))?.text, 'IPv4 192.0.2.7, 192.0.2.8; no IPv6 address')
})

for (const [code, text] of [
  ['ENOTFOUND', 'the name does not resolve (ENOTFOUND)'],
  ['EAI_AGAIN', 'the resolver does not answer (EAI_AGAIN)'],
] as const) {
  test(`${code} fails: ${text}`, async () => {
    const find = () => Promise.reject(Object.assign(new Error(code), { code }))
    const outcome = await dnsSteps(configFor('smtp://a.example:587'), find)[0]?.run(signal)
    assert.deepEqual([outcome?.status, outcome?.text], ['failed', text])
  })
}

test('a resolver that never answers costs PROXY_DIAL_TIMEOUT', async () => {
  const outcome = await dnsSteps(configFor('smtp://a.example:587'), () => new Promise(() => {}))[0]?.run(signal)
  assert.equal(outcome?.text, 'the resolver does not answer within 100 ms')
})

test('ports in parallel: one that works, one that refuses mail, one without a greeting, one that is blocked', async () => {
  await using hole = await openBlackHole('127.0.0.1')
  const servers = ['220 hello\r\n', '554 no\r\n', ''].map((greeting) =>
    net.createServer((socket) => socket.write(greeting)),
  )
  const [works = 0, refuses = 0, silent = 0] = await Promise.all(servers.map(listenOnLoopback))
  const began = performance.now()
  const [step] = portSteps(configFor('smtp://127.0.0.1:1'), nothingDialled(), [works, refuses, silent, hole.port])
  const outcome = (await step!.run(signal)) as Outcome
  assert.ok(performance.now() - began < 6000)
  for (const server of servers) server.close()
  assert.equal(outcome.status, 'note')
  const results = new Map(
    outcome.text.split(', ').map((each) => [Number(each.split(' ')[1]), each.split(' ').slice(2).join(' ')]),
  )
  assert.equal(results.get(works), 'works')
  assert.equal(results.get(refuses), 'answers with a refusal')
  assert.equal(results.get(silent), 'connects but sends no greeting')
  assert.equal(results.get(1), 'fails (see above)')
  assert.equal(results.get(hole.port), 'is blocked here (no answer)')
  assert.deepEqual(outcome.details, [`Next: set PROXY_UPSTREAM=smtp://127.0.0.1:${works}`])
})

test('an upstream that was reached is not dialled again', async () => {
  const [step] = portSteps(
    configFor('smtp://127.0.0.1:1'),
    { ...nothingDialled(), reached: new Set(['127.0.0.1:1']) },
    [],
  )
  assert.equal((await step?.run(signal))?.text, 'port 1 works')
})

test('an unencrypted upstream is not AhaSend: its other ports do not matter', () => {
  assert.deepEqual(portSteps(configFor('smtp://127.0.0.1:2526?tls=off'), nothingDialled()), [])
})

test('if no port works, the advice is to open a firewall, unless the server answers', async () => {
  const config = configFor('smtp://127.0.0.1:1')
  const [unreachable] = portSteps(config, nothingDialled(), [])
  assert.match(
    ((await unreachable!.run(signal)) as Outcome).details?.join() ?? '',
    /^Next: no port works\. Allow .* firewall/,
  )
  const [answering] = portSteps(config, { ...nothingDialled(), answered: new Set(['127.0.0.1:1']) }, [])
  assert.deepEqual(((await answering!.run(signal)) as Outcome).details, [])
  const [literal] = portSteps(configFor('smtp://[::1]:1'), nothingDialled(), [])
  assert.match(((await literal!.run(signal)) as Outcome).details?.join() ?? '', /IPv6 may not work/)
})

test('a name whose IPv6 address does not answer: mail takes IPv4, and a warning says so', async () => {
  const find = async () => [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]
  const dialled = { ...nothingDialled(), reached: new Set(['a.example:1']) }
  const [step] = portSteps(configFor('smtp://a.example:1'), dialled, [], find)
  const { status, details } = (await step!.run(signal)) as Outcome
  assert.equal(status, 'note')
  assert.match(details?.join() ?? '', /^warning: IPv6 does not work: \[::1\]:1 .*The proxy uses IPv4 instead/)
})
