/** The control page survives any request, and rejects changes that another web site makes a browser send. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import { wholeSession } from './client.ts'
import { type Simulator, startSimulator } from './simulator.ts'

const LIMIT = { timeout: 60_000 }

let simulator: Simulator
before(async () => {
  simulator = await startSimulator({ ledger: 'summary' })
})
after(() => simulator.close())
beforeEach(() => void simulator.faults.clear())

interface Sent {
  readonly method?: string
  /** Sent unchanged. `fetch` would correct an invalid path. */
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

async function ask({ method = 'GET', path = '/', headers = {}, body = '' }: Sent): Promise<[number, string]> {
  const sent = request({ host: '127.0.0.1', port: simulator.httpPort, method, path, headers, agent: false }).end(body)
  const [response] = await once(sent, 'response')
  return [response.statusCode, await text(response)]
}

function active(): readonly string[] {
  return simulator.faults.list().map(({ name }) => name)
}

describe('the control page', LIMIT, () => {
  for (const path of ['/%zz', '/ledger/%', '/faults/%ff', '/rehearsals/%E0%A4%A'])
    for (const method of ['GET', 'POST', 'PUT', 'DELETE'])
      test(`replies to ${method} ${path} with 400`, async () => {
        assert.deepEqual(await ask({ method, path }), [400, 'invalid path\n'])
        assert.equal((await ask({}))[0], 200)
      })

  test('survives a request that ends inside its body', async () => {
    const socket = connect(simulator.httpPort, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('PUT /faults/account-disabled HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"times"')
    // when another request is answered, this one has arrived
    await ask({})
    socket.resetAndDestroy()
    await ask({})
    assert.deepEqual(active(), [])
  })

  test('replies to a body that is too long with 413', async () => {
    const [status] = await ask({ method: 'PUT', path: '/faults/account-disabled', body: ' '.repeat(1_000_000) })
    assert.equal(status, 413)
    assert.deepEqual(active(), [])
  })

  for (const body of [
    '{"text":{"toString":null}}',
    '{"text":5}',
    '{"text":"two\\r\\nlines"}',
    '{"probability":"0.5"}',
    '{"probability":[]}',
    '{"times":[1]}',
    '{"often":1}',
    'null',
    '[]',
    '1',
    '{',
  ])
    test(`replies to invalid options with 400: ${body}`, async () => {
      const [status, answer] = await ask({ method: 'PUT', path: '/faults/521-at-mail', body })
      assert.equal(status, 400)
      assert.match(answer, /^.+\n$/)
      assert.deepEqual(active(), [])
      assert.equal(await wholeSession(simulator), '250 250 354 250')
    })

  for (const form of [
    'idle-N',
    'slow-N-at-greeting',
    'latency-N',
    'latency-1-N',
    'bandwidth-N',
    'slices-N',
    'wire-cut-N',
  ])
    for (const number of ['2147483648', '9'.repeat(400)])
      test(`replies to a number above the longest timer with 400: ${form}, ${number.length} digits`, async () => {
        assert.equal((await ask({ method: 'PUT', path: `/faults/${form.replace('N', number)}` }))[0], 400)
        assert.equal(await wholeSession(simulator), '250 250 354 250')
      })

  test('survives any path, method and body', async () => {
    const segment = fc.oneof(
      fc.constantFrom('faults', 'ledger', 'rehearsals', 'account-disabled', 'records', '', '%', '%00', '%2f', '..'),
      fc.string({ unit: 'binary-ascii' }).map((part) => part.replaceAll(/[^!-~]/g, '%')),
    )
    const sent = fc.record({
      method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'),
      path: fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`),
      body: fc.oneof(fc.json(), fc.string(), fc.constant('')),
      headers: fc.constantFrom({}, { accept: 'text/html' }, { accept: '*/*' }),
    })
    const answered = async (what: Sent) => {
      const [status] = await ask(what)
      assert.ok([200, 303, 400, 404].includes(status), `${status}`)
    }
    await fc.assert(fc.asyncProperty(sent, answered), { numRuns: 500 })
    assert.equal((await ask({}))[0], 200)
  })

  test('rejects random options of a fault, or sessions still work', async () => {
    const odd = fc.oneof(fc.jsonValue(), fc.double(), fc.integer(), fc.string())
    const options = fc.record({ text: odd, probability: odd, times: odd }, { requiredKeys: [] })
    const name = fc.constantFrom('521-at-mail', '250-at-rcpt', 'account-disabled', 'slow-0-at-data')
    const taken = async (fault: string, given: object) => {
      const [status] = await ask({ method: 'PUT', path: `/faults/${fault}`, body: JSON.stringify(given) })
      assert.deepEqual(active(), status === 200 ? [fault] : [])
      if (status === 200) assert.match(await wholeSession(simulator), /^\d{3}( \d{3})*$/)
      assert.equal((await ask({ headers: { accept: 'text/html' } }))[0], 200)
      simulator.faults.clear()
    }
    await fc.assert(fc.asyncProperty(name, options, taken), { numRuns: 100 })
  })
})

describe('changes from other web sites', LIMIT, () => {
  const BUTTON = { method: 'POST', path: '/rehearsals/account-disabled' }
  const CHANGES = [
    BUTTON,
    { method: 'PUT', path: '/faults/account-disabled' },
    { method: 'DELETE', path: '/faults' },
    { method: 'DELETE', path: '/faults/552-at-rcpt' },
  ]
  const here = () => `127.0.0.1:${simulator.httpPort}`
  const FOREIGN: readonly (() => Readonly<Record<string, string>>)[] = [
    () => ({ origin: 'https://evil.example' }),
    () => ({ origin: 'null' }),
    () => ({ origin: '' }),
    () => ({ origin: 'nonsense' }),
    () => ({ origin: `http://${here()}.evil.example` }),
    () => ({ origin: `http://${here()}@evil.example` }),
    // another port is another origin: for example, Grafana's
    () => ({ origin: 'http://127.0.0.1:3001' }),
    () => ({ 'sec-fetch-site': 'cross-site' }),
    () => ({ 'sec-fetch-site': 'same-site' }),
    () => ({ 'sec-fetch-site': 'cross-site', origin: `http://${here()}` }),
    () => ({ 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }),
  ]

  for (const [number, headers] of FOREIGN.entries())
    test(`get 403 and have no effect (${number + 1})`, async () => {
      simulator.faults.set('552-at-rcpt')
      for (const change of CHANGES) {
        assert.equal((await ask({ ...change, headers: headers() }))[0], 403, `${change.method} ${change.path}`)
        assert.deepEqual(active(), ['552-at-rcpt'])
      }
      // reading is allowed
      assert.equal((await ask({ headers: headers() }))[0], 200)
    })

  for (const [who, headers] of [
    ['curl', () => ({})],
    ['a button of the page', () => ({ origin: `http://${here()}`, 'sec-fetch-site': 'same-origin' })],
    ['a browser that sends no Sec-Fetch-Site', () => ({ origin: `http://${here()}` })],
    ['a page behind a TLS proxy', () => ({ host: 'rehearsal.example', origin: 'https://rehearsal.example' })],
    ['a page on port 80', () => ({ host: 'rehearsal.example:80', origin: 'http://rehearsal.example' })],
    ['a typed address', () => ({ 'sec-fetch-site': 'none' })],
  ] as const)
    test(`do not include ${who}`, async () => {
      assert.equal((await ask({ ...BUTTON, headers: headers() }))[0], 303)
      assert.deepEqual(active(), ['account-disabled'])
    })
})
