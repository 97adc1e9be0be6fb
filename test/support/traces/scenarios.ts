/**
 * Scenarios that show messages as traces: an app sends with nodemailer, the proxy relays to a simulated AhaSend, and a
 * real Collector records the spans. Each scenario has its own proxy, simulator and Collector.
 */
import { type Context, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { createTransport, type SendMailOptions } from 'nodemailer'
import { DEFAULT_ACCOUNT, startSimulator } from '../../simulator/simulator.ts'
import { type Collector, startCollector } from '../otlp/collector.ts'
import type { Span } from '../otlp/otlp-json.ts'
import type { ProxyProcess } from '../processes/proxy-process.ts'
import { startBefore } from '../processes/running-proxy.ts'

interface Stage {
  readonly proxy: ProxyProcess
  readonly collector: Collector
}

export interface Scenario {
  readonly title: string
  /** A fault of AhaSend for all messages. Other faults are chosen by addresses. */
  readonly fault?: string
  readonly env?: Readonly<Record<string, string>>
  /** Plays the app. Resolves with the reply or error that it received. */
  readonly play: (stage: Stage) => Promise<string>
  /** Accepts the spans once they are complete. Default: when the span of a session has arrived. */
  readonly enough?: (spans: readonly Span[]) => boolean
}

/** The result of a scenario. */
export interface Played {
  /** What the app received: AhaSend's last reply, or nodemailer's error. */
  readonly app: string
  readonly spans: readonly Span[]
}

const MAIL: SendMailOptions = {
  from: 'shop@example.com',
  to: 'you@example.net',
  subject: 'Your order',
  text: 'It is on its way.\n',
}

function transportTo(proxy: ProxyProcess) {
  const auth = { user: DEFAULT_ACCOUNT.user, pass: DEFAULT_ACCOUNT.pass }
  return createTransport({ host: '127.0.0.1', port: proxy.port, auth })
}

/** Sends one message on a new connection. Never rejects. */
async function send(proxy: ProxyProcess, mail: SendMailOptions = {}): Promise<string> {
  return await transportTo(proxy)
    .sendMail({ ...MAIL, ...mail })
    .then(({ response }) => response)
    .catch((error: Error) => error.message)
}

/** All scenarios, by name. */
export const SCENARIOS = {
  accepted: {
    title: 'A message is accepted',
    play: ({ proxy }) => send(proxy),
  },
  oneOfThree: {
    title: 'One recipient of three is refused with 553',
    play: ({ proxy }) =>
      send(proxy, { to: ['you@example.net', 'fault+553-at-rcpt@example.net', 'another@example.net'] }),
  },
  disabled: {
    title: 'The account is disabled: 521 at MAIL',
    play: ({ proxy }) => send(proxy, { from: 'fault+521-at-mail@example.com' }),
  },
  loadShedding: {
    title: 'AhaSend sheds load: 421 in place of the greeting',
    fault: 'load-shedding',
    play: ({ proxy }) => send(proxy),
  },
  idle: {
    title: 'A pool keeps its connection open, and AhaSend closes it after its idle limit: 421',
    fault: 'idle-4000',
    play: async ({ proxy, collector }) => {
      const pool = createTransport({
        pool: true,
        host: '127.0.0.1',
        port: proxy.port,
        auth: { user: DEFAULT_ACCOUNT.user, pass: DEFAULT_ACCOUNT.pass },
      })
      const { response } = await pool.sendMail(MAIL)
      await collector.spans(hasSession)
      pool.close()
      return response
    },
  },
  inDoubt: {
    title: 'In doubt: AhaSend closes the connection after the final dot',
    play: ({ proxy }) => send(proxy, { to: 'fault+close-at-end-of-message@example.net' }),
  },
  joined: {
    title: "A message joins the app's trace through its traceparent header; nothing else is sampled",
    env: { OTEL_TRACES_SAMPLER: 'parentbased_always_off' },
    play: async ({ proxy, collector }) => {
      await send(proxy)
      return await order(collector, (headers) => send(proxy, { headers }))
    },
    enough: (spans) => hasSession(spans) && spans.some(({ name }) => name === ORDER),
  },
  slow: {
    title: 'A slow message is kept although the sampler drops all traces',
    env: { OTEL_TRACES_SAMPLER: 'always_off', PROXY_SLOW: '4s' },
    play: async ({ proxy }) => {
      await send(proxy)
      return await send(proxy, { to: 'fault+slow-4500-at-end-of-message@example.net' })
    },
  },
  fifty: {
    title: 'A message to fifty recipients',
    play: ({ proxy }) => send(proxy, { to: Array.from({ length: 50 }, (_, reader) => `reader-${reader}@example.net`) }),
  },
} as const satisfies Readonly<Record<string, Scenario>>

function hasSession(spans: readonly Span[]): boolean {
  return spans.some(({ name }) => name === 'smtp.session')
}

/** The names of the app's own spans. */
const ORDER = 'POST /orders'
const CONFIRM = 'confirm order'

/** Sends a message within an app's request. The app traces the request and exports it to the same Collector. */
async function order(
  { endpoint }: Collector,
  sendMail: (headers: Readonly<Record<string, string>>) => Promise<string>,
): Promise<string> {
  const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces` })
  const resource = resourceFromAttributes({ 'service.name': 'shop' })
  const provider = new TracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  const tracer = provider.getTracer('shop')
  const request = tracer.startSpan(ORDER, { kind: SpanKind.SERVER })
  const within = trace.setSpan(ROOT_CONTEXT, request)
  const confirmation = tracer.startSpan(CONFIRM, { kind: SpanKind.CLIENT }, within)
  const answer = await sendMail(headersOf(trace.setSpan(within, confirmation)))
  confirmation.end()
  request.end()
  await provider.shutdown()
  return answer
}

/** The header fields that propagate a trace: `traceparent`. */
function headersOf(context: Context): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  const set = (_: unknown, key: string, value: string) => {
    headers[key] = value
  }
  new W3CTraceContextPropagator().inject(context, headers, { set })
  return headers
}

const SETTINGS = {
  PROXY_WARM_CONNECTIONS: '0',
  OTEL_TRACES_SAMPLER: 'always_on',
  OTEL_BSP_SCHEDULE_DELAY: '50',
}

/** Plays a scenario. */
export async function play({ fault, env, play: playApp, enough = hasSession }: Scenario): Promise<Played> {
  await using simulator = await startSimulator({ ...(fault && { faults: { [fault]: {} } }) })
  await using collector = await startCollector()
  const settings = { ...SETTINGS, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, ...env }
  await using proxy = await startBefore(simulator, settings)
  const app = await playApp({ proxy, collector })
  await collector.spans(enough)
  await proxy.stop()
  return { app, spans: await collector.spans() }
}

/**
 * The trees of spans without times and ids, one span per line. Children are indented below their parent, in order of
 * start time. A line has the name, the kind, the outcome and the links.
 */
export function outlineOf(spans: readonly Span[]): string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const below = (parents: readonly Span[], indent: string): string[] =>
    parents
      .toSorted((one, other) => one.startMs - other.startMs)
      .flatMap((parent) => [
        `${indent}${outcomeOf(parent, spans)}`,
        ...below(
          spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId),
          `${indent}  `,
        ),
      ])
  return below(
    spans.filter(({ parentSpanId }) => !ids.has(parentSpanId)),
    '',
  )
}

const OUTCOME = [
  'smtp.transaction.outcome',
  'smtp.session.close_reason',
  'smtp.reply.code',
  'smtp.reply.cause',
  'error.type',
]

function outcomeOf({ name, kind, status, attributes, links }: Span, all: readonly Span[]): string {
  const outcome = OUTCOME.map((key) => attributes[key]).filter((value) => value !== undefined && value !== 'none')
  const linked = links.map(({ spanId }) => `-> ${all.find((span) => span.spanId === spanId)?.name ?? 'nothing'}`)
  return [name, kind, ...(status.code === 'ERROR' ? ['ERROR'] : []), ...outcome, ...linked].join(' ')
}
