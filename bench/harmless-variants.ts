/** The ways in which `bench/harmless.ts` runs the proxy. */
import net from 'node:net'

/** A way to run the proxy. */
export interface Variant {
  readonly name: string
  readonly env?: Readonly<Record<string, string>>
  /** Leaves stdout unread. */
  readonly unread?: boolean
  /** Uses the admin port during a round. Returns a function that ends this. */
  readonly meanwhile?: (port: number) => () => void
}

const TRACED = {
  OTEL_TRACES_SAMPLER: 'always_on',
  OTEL_METRICS_EXPORTER: 'both',
  OTEL_LOGS_EXPORTER: 'otlp',
  OTEL_METRIC_EXPORT_INTERVAL: '5000',
}
/** The name of the proxy to which the others are compared. */
export const NONE = 'no telemetry'

/** Every message is traced to the collector at `url`. */
export function traced(name: string, url: string): Variant {
  return { name: `collector: ${name}`, env: { ...TRACED, OTEL_EXPORTER_OTLP_ENDPOINT: url } }
}

/** Settings that turn all telemetry off. */
export const SILENT = { OTEL_SDK_DISABLED: 'true', PROXY_LOG_LEVEL: 'silent' }

/** All variants. `collectors` are the URLs of collectors by the name of their behaviour. */
export function variantsFor(collectors: Readonly<Record<string, string>>): readonly Variant[] {
  return [
    { name: `${NONE}, again`, env: SILENT },
    { name: 'default: metrics and log' },
    ...Object.entries(collectors).map(([name, url]) => traced(name, url)),
    traced('dead', 'http://127.0.0.1:1'),
    { name: 'scrapers that never read', meanwhile: neverRead },
    { name: 'a scraper without pause', meanwhile: withoutPause },
    { name: 'no one reads stdout', unread: true },
  ]
}

/** 100 connections, each replaced when the proxy ends it. */
function neverRead(port: number): () => void {
  let over = false
  const sockets = new Set<net.Socket>()
  const open = () => {
    if (over) return
    const socket = net.connect(port, '127.0.0.1').pause()
    sockets.add(socket)
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      open()
    })
  }
  for (let count = 0; count < 100; count += 1) open()
  return () => {
    over = true
    for (const socket of sockets) socket.destroy()
  }
}

function withoutPause(port: number): () => void {
  let over = false
  const scrape = async () => {
    while (!over) await metricsAt(port)
  }
  void scrape()
  return () => {
    over = true
  }
}

/** The metrics that a proxy serves on its admin port. */
export async function metricsAt(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
}
