/**
 * The proxy's output contains nothing that its peers sent. The test sends canaries in every place that a client, an
 * upstream, an operator or a receiver controls, with maximum logging and sampling. It then searches all output of the
 * proxy for parts of them, in any case, in base64 and in hexadecimal. ALLOWED lists each canary that may be found, with
 * the reason. Any other finding fails, and so does an allowed canary that is no longer found.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { originOf } from '../../otel/export/logger.ts'
import { authScenes } from '../support/canaries/auth.ts'
import type { Found, Sinks } from '../support/canaries/canaries.ts'
import { clientScenes } from '../support/canaries/client.ts'
import { operatorScenes } from '../support/canaries/operator.ts'
import { CanaryStage } from '../support/canaries/stage.ts'
import { upstreamScenes } from '../support/canaries/upstream.ts'

const SCENES = { ...clientScenes, ...authScenes, ...upstreamScenes, ...operatorScenes }

/** The canaries that may be found, and the sinks: this is the contract. */
const ALLOWED: Found = {
  // the trace id connects the message with the app's own trace
  'trace id of a traceparent': ['/tail', 'OTLP logs', 'OTLP traces', 'log'],
  'span id of a traceparent': ['OTLP traces'],
  tracestate: ['OTLP traces'],
  // tags classify messages; their values are unbounded, so they are on spans only
  tag: ['OTLP traces'],
  'another tag': ['OTLP traces'],
  // AhaSend's random ids, which its support and its webhooks use; only 32 hexadecimal digits are accepted
  "a message's id in the final reply": ['OTLP logs', 'OTLP traces', 'log'],
  // `check` shows the operator what the upstream offers
  'name in the EHLO reply to check': ['output of check'],
  'keyword in the EHLO reply to check': ['output of check'],
  // `check` shows the host names and the issuer of the listeners' certificate, which here is that of the upstream
  "name in the upstream's certificate": ['output of check'],
  "name of the upstream's certificate authority": ['output of check'],
  // these are meant for the receiver
  'token in OTEL_EXPORTER_OTLP_HEADERS': ['path and headers of OTLP requests'],
  'token in OTEL_EXPORTER_OTLP_TRACES_HEADERS': ['path and headers of OTLP requests'],
  'parameter of an OTLP endpoint': ['path and headers of OTLP requests'],
}

const RECORDS = ['OTLP logs', 'OTLP traces', 'log']
const RECORDS_AND_TAIL = ['/tail', ...RECORDS]

/** What PROXY_RECORD_ADDRESSES=domain also allows. */
const DOMAINS: Found = {
  'address in a PROXY header of version 1': RECORDS,
  'address in a PROXY header of version 2': RECORDS,
  // the status page shows addresses instead of networks
  'address of a client that may not connect': ['/', ...RECORDS],
  'domain of the sender': RECORDS_AND_TAIL,
  'domain of the recipient': RECORDS,
  'domain of a refused recipient': RECORDS,
}

/** What PROXY_RECORD_ADDRESSES=full also allows. */
const ADDRESSES: Found = {
  ...DOMAINS,
  sender: RECORDS_AND_TAIL,
  recipient: RECORDS,
  'refused recipient': RECORDS,
  'Message-ID': RECORDS,
  'domain of the Message-ID': RECORDS,
}

/**
 * The status page shows the address of these clients only if their session failed, and whether it does depends on which peer
 * closes first. Without PROXY_RECORD_ADDRESSES, no page may contain them.
 */
const ON_THE_PAGE_IF_FAILED = ['address in a PROXY header of version 1', 'address in a PROXY header of version 2']

function withoutFailures(found: Found): Found {
  const sinksOf = (place: string, sinks: readonly string[]) =>
    ON_THE_PAGE_IF_FAILED.includes(place) ? sinks.filter((sink) => sink !== '/') : sinks
  return Object.fromEntries(Object.entries(found).map(([place, sinks]) => [place, sinksOf(place, sinks)]))
}

const RUNS: readonly (readonly [name: string, env: Readonly<Record<string, string>>, allowed: Found])[] = [
  ['by default', {}, ALLOWED],
  ['with several event loops', { PROXY_WORKERS: '2' }, ALLOWED],
  ['with PROXY_RECORD_ADDRESSES=domain', { PROXY_RECORD_ADDRESSES: 'domain' }, { ...ALLOWED, ...DOMAINS }],
  ['with PROXY_RECORD_ADDRESSES=full', { PROXY_RECORD_ADDRESSES: 'full' }, { ...ALLOWED, ...ADDRESSES }],
]

describe('Canaries in every place', { concurrency: 2 }, () => {
  for (const [name, env, allowed] of RUNS) {
    describe(`A proxy with maximum output, ${name},`, () => {
      let stage: CanaryStage
      let sinks: Sinks
      before(async () => {
        stage = await CanaryStage.open(env)
        for (const play of Object.values(SCENES)) await play(stage)
        sinks = await stage.finish()
      })
      after(() => stage.close())

      test('outputs no canary that is not allowed (PRV-01, PRV-02, PRV-03)', (context) => {
        context.diagnostic(`${stage.canaries.places.length} places x ${Object.keys(sinks).length} sinks`)
        const found = stage.canaries.search(sinks)
        const areShown = env.PROXY_RECORD_ADDRESSES !== undefined
        assert.deepEqual(areShown ? withoutFailures(found) : found, sorted(allowed))
      })

      test('writes to every sink', () => {
        for (const [sink, expected] of Object.entries(EXPECTED)) assert.match(sinks[sink] ?? '', expected, sink)
        assert.doesNotMatch(sinks.log ?? '', /lines suppressed/)
        assert.deepEqual(Object.keys(sinks).sort(), [...Object.keys(EXPECTED), 'standard error'].sort())
      })

      test('cannot leak a canary to any sink unnoticed', () => {
        const place = 'AUTH PLAIN password'
        for (const [sink, output] of Object.entries(sinks)) {
          const leaking = { [sink]: `${output}${stage.canaries.at(place)}` }
          assert.deepEqual(stage.canaries.search(leaking)[place], [sink])
        }
      })

      test('is searched for the canaries of all places', (context) => {
        const isFirst = Object.keys(env).length === 0
        for (const place of isFirst ? stage.canaries.places : []) context.diagnostic(`place: ${place}`)
        for (const [sink, output] of Object.entries(sinks)) context.diagnostic(`sink: ${sink} (${output.length} bytes)`)
        assert.ok(stage.canaries.places.length > 150)
      })
    })
  }
})

test('the origin of an error is reported without its message, even if the message has several lines', () => {
  const origin = originOf(new TypeError('said by a client\n    at secret (secret.ts:1:1)'))
  assert.doesNotMatch(JSON.stringify(origin), /secret|client/)
  assert.match(JSON.stringify(origin), /canary\.test\.ts/)
})

/** What each sink must contain, which proves that it was searched. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  log: /"msg":"transaction"[\s\S]*"msg":"session"|"msg":"session"[\s\S]*"msg":"transaction"/,
  '/metrics': /smtp_proxy_replies_total\{.*\} [1-9]/,
  '/': /<title>/,
  '/livez': /alive/,
  '/readyz': /ready/,
  '/tail': /"subject":"message"/,
  'answers of the admin server': /404 Not Found[\s\S]*405 Method Not Allowed|405[\s\S]*404/,
  'OTLP traces': /smtp\.transaction/,
  'OTLP metrics': /smtp\.proxy\.replies/,
  'OTLP logs': /transaction/,
  'path and headers of OTLP requests': /v1\/traces/,
  'output of check': /upstream 127\.0\.0\.1:\d+: ok[\s\S]*FAILED/,
  'output at a bad configuration': /PROXY_UPSTREAM: got/,
  'output of --help': /Usage/,
}

function sorted(found: Found): Found {
  return Object.fromEntries(Object.entries(found).sort())
}
