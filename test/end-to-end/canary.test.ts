/**
 * What peers write stays between them. Marks are put into every place that a client, an upstream, an operator or a
 * receiver can write, at the loudest level and with everything sampled; then everything that the proxy puts out is
 * searched for them, in part, in any case, in base64 and in hexadecimal. What may be found is declared, with the reason;
 * anything else fails, and so does a declared one that is not found any more.
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

/** Each thing that may be found, and where: this is the contract. */
const ALLOWED: Found = {
  // the trace that a mail belongs to is what makes it findable from the application's side
  'trace id of a traceparent': ['OTLP logs', 'OTLP traces', 'log'],
  'span id of a traceparent': ['OTLP traces'],
  tracestate: ['OTLP traces'],
  // tags are made to sort mail by, and are values without bound: on spans only
  tag: ['OTLP traces'],
  'another tag': ['OTLP traces'],
  // AhaSend's own random ids, by which its support and its webhooks know a mail; nothing but 32 hexadecimal digits passes
  "a message's id in the final reply": ['OTLP logs', 'OTLP traces', 'log'],
  // `check` shows its operator what the upstream offers
  'name in the EHLO reply to check': ['output of check'],
  'keyword in the EHLO reply to check': ['output of check'],
  // the receiver is who they are for
  'token in OTEL_EXPORTER_OTLP_HEADERS': ['path and headers of OTLP requests'],
  'token in OTEL_EXPORTER_OTLP_TRACES_HEADERS': ['path and headers of OTLP requests'],
  'parameter of an OTLP endpoint': ['path and headers of OTLP requests'],
}

const TOLD = ['OTLP logs', 'OTLP traces', 'log']

/** What PROXY_RECORD_ADDRESSES=domain allows besides. */
const DOMAINS: Found = {
  'address in a PROXY header of version 1': TOLD,
  'address in a PROXY header of version 2': TOLD,
  'address of a client that may not connect': TOLD,
  'domain of the sender': TOLD,
  'domain of the recipient': TOLD,
  'domain of a refused recipient': TOLD,
}

/** What PROXY_RECORD_ADDRESSES=full allows besides. */
const ADDRESSES: Found = {
  ...DOMAINS,
  sender: TOLD,
  recipient: TOLD,
  'refused recipient': TOLD,
  'Message-ID': TOLD,
  'domain of the Message-ID': TOLD,
}

const RUNS: readonly (readonly [name: string, env: Readonly<Record<string, string>>, allowed: Found])[] = [
  ['as it is by default', {}, ALLOWED],
  ['with several event loops', { PROXY_WORKERS: '2' }, ALLOWED],
  ['with PROXY_RECORD_ADDRESSES=domain', { PROXY_RECORD_ADDRESSES: 'domain' }, { ...ALLOWED, ...DOMAINS }],
  ['with PROXY_RECORD_ADDRESSES=full', { PROXY_RECORD_ADDRESSES: 'full' }, { ...ALLOWED, ...ADDRESSES }],
]

describe('Marks in every place', { concurrency: 2 }, () => {
  for (const [name, env, allowed] of RUNS) {
    describe(`The loudest proxy, ${name}`, () => {
      let stage: CanaryStage
      let sinks: Sinks
      before(async () => {
        stage = await CanaryStage.open(env)
        for (const play of Object.values(SCENES)) await play(stage)
        sinks = await stage.finish()
      })
      after(() => stage.close())

      test('says nothing that it was not allowed to say (PRV-01, PRV-02, PRV-03)', (context) => {
        context.diagnostic(`${stage.marks.places.length} places x ${Object.keys(sinks).length} sinks`)
        assert.deepEqual(stage.marks.search(sinks), sorted(allowed))
      })

      test('did speak in every sink', () => {
        for (const [sink, expected] of Object.entries(SIGNS)) assert.match(sinks[sink] ?? '', expected, sink)
        assert.doesNotMatch(sinks.log ?? '', /lines suppressed/)
        assert.deepEqual(Object.keys(sinks).sort(), [...Object.keys(SIGNS), 'standard error'].sort())
      })

      test('would be found out in each of them', () => {
        const place = 'AUTH PLAIN password'
        for (const [sink, output] of Object.entries(sinks)) {
          const leaking = { [sink]: `${output}${stage.marks.at(place)}` }
          assert.deepEqual(stage.marks.search(leaking)[place], [sink])
        }
      })

      test('the search was for all places', (context) => {
        const isFirst = Object.keys(env).length === 0
        for (const place of isFirst ? stage.marks.places : []) context.diagnostic(`place: ${place}`)
        for (const [sink, output] of Object.entries(sinks))
          context.diagnostic(`sink: ${sink} (${output.length} octets)`)
        assert.ok(stage.marks.places.length > 150)
      })
    })
  }
})

test('where an error came from is told without its message, however many lines that has', () => {
  const told = originOf(new TypeError('said by a client\n    at secret (secret.ts:1:1)'))
  assert.doesNotMatch(JSON.stringify(told), /secret|client/)
  assert.match(JSON.stringify(told), /canary\.test\.ts/)
})

/** That each sink was really listened to: something that must be in it. */
const SIGNS: Readonly<Record<string, RegExp>> = {
  log: /"msg":"transaction"[\s\S]*"msg":"session"|"msg":"session"[\s\S]*"msg":"transaction"/,
  '/metrics': /smtp_proxy_replies_total\{.*\} [1-9]/,
  '/': /<title>/,
  '/livez': /alive/,
  '/readyz': /ready/,
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
