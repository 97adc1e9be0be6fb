/** A real OpenTelemetry Collector on the loopback interface, and what it has received. */
import { closeSync, openSync, readFileSync, readSync, watch } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { missing } from '../programs/programs.ts'
import { startProgram } from '../programs/running-program.ts'
import { Changes } from '../waiting/changes.ts'
import { type LogRecord, logsOf, type MetricPoint, pointsOf, type Span, spansOf } from './otlp-json.ts'

/**
 * Resolves with all items so far, once `enough` accepts them (by default immediately). Rejects after `limitMs` (30 s)
 * with the names of the items.
 */
export type Received<Item> = (
  enough?: (items: readonly Item[]) => boolean,
  limitMs?: number,
) => Promise<readonly Item[]>

export interface Collector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:port`. */
  readonly endpoint: string
  readonly spans: Received<Span>
  readonly logs: Received<LogRecord>
  /** Points in the order of their arrival: each export has one point per series. */
  readonly metrics: Received<MetricPoint>
  /** Everything received so far, as the Collector wrote it: JSON lines. */
  exported(): string
  /** Resolves when the Collector has exited and its files are deleted. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Why the Collector cannot run, and how to fix that; undefined when it can. */
export function collectorMissing(): string | undefined {
  return missing('collector')
}

/** Starts a Collector on a free port. It writes each export before it confirms it. Throws when it is not built. */
export async function startCollector(): Promise<Collector> {
  const { path: directory, remove } = temporaryDirectory('collector-')
  const spans = new ExportedFile(directory, 'traces', spansOf, ({ name }) => name)
  const logs = new ExportedFile(directory, 'logs', logsOf, ({ body }) => String(body))
  const metrics = new ExportedFile(directory, 'metrics', pointsOf, ({ name }) => name)
  const files = [spans, logs, metrics]
  const watcher = watch(directory, () => {
    for (const file of files) file.look()
  })
  const program = startProgram('collector', ['--config', `yaml:${JSON.stringify(configOf(directory))}`])
  const stop = async () => {
    await program.stop()
    watcher.close()
    remove()
  }
  try {
    const { endpoint } = await program.line('Starting HTTP server')
    await program.line('Everything is ready. Begin running and processing data.')
    return {
      endpoint: `http://${endpoint}`,
      spans: spans.until,
      logs: logs.until,
      metrics: metrics.until,
      exported: () => files.map((file) => file.text()).join(''),
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function configOf(directory: string) {
  const signals = ['traces', 'logs', 'metrics']
  // With rotation the exporter writes each export immediately, without a buffer. The files stay too small to rotate.
  const file = (signal: string) => ({ path: join(directory, signal), rotation: { max_megabytes: 10_000 } })
  const pipeline = (signal: string) => ({ receivers: ['otlp'], exporters: [`file/${signal}`] })
  return {
    receivers: { otlp: { protocols: { http: { endpoint: '127.0.0.1:0' } } } },
    exporters: Object.fromEntries(signals.map((signal) => [`file/${signal}`, file(signal)])),
    service: {
      telemetry: { metrics: { level: 'none' }, logs: { encoding: 'json' } },
      pipelines: Object.fromEntries(signals.map((signal) => [signal, pipeline(signal)])),
    },
  }
}

/** A file that the Collector appends lines to, read as it grows. */
class ExportedFile<Item> {
  readonly #path: string
  readonly #parse: (line: string) => readonly Item[]
  readonly #nameOf: (item: Item) => string
  readonly #items: Item[] = []
  readonly #changes = new Changes()
  #waiting = 0
  /** The number of bytes read and parsed. */
  #offset = 0

  constructor(
    directory: string,
    signal: string,
    parse: (line: string) => readonly Item[],
    nameOf: (item: Item) => string,
  ) {
    this.#path = join(directory, signal)
    this.#parse = parse
    this.#nameOf = nameOf
  }

  /** Reads what is new, if a test waits for something. */
  look(): void {
    if (this.#waiting === 0) return
    this.#read()
    this.#changes.changed()
  }

  readonly until: Received<Item> = (enough = () => true, limitMs = 30_000) => {
    this.#waiting += 1
    this.#read()
    const find = () => (enough(this.#items) ? [...this.#items] : undefined)
    const found = this.#changes.until(find, limitMs, () => this.#tooLittle(limitMs))
    return found.finally(() => {
      this.#waiting -= 1
    })
  }

  text(): string {
    try {
      return readFileSync(this.#path, 'utf8')
    } catch {
      return ''
    }
  }

  #tooLittle(limitMs: number): string {
    const names = this.#items.map(this.#nameOf)
    return `the expected items did not arrive within ${limitMs} ms, but ${names.length}: ${names.slice(-50).join(', ')}`
  }

  /** Takes complete lines only: a line may be written in pieces. */
  #read(): void {
    const fresh = contentFrom(this.#path, this.#offset)
    const whole = fresh.subarray(0, fresh.lastIndexOf(0x0a) + 1)
    this.#offset += whole.length
    const lines = whole.toString().split('\n').slice(0, -1)
    for (const line of lines) this.#items.push(...this.#parse(line))
  }
}

/** The bytes of a file after an offset; none when there is no such file. */
function contentFrom(path: string, offset: number): Buffer {
  const pieces: Buffer[] = []
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return Buffer.alloc(0)
  }
  try {
    for (let at = offset; ; at += pieces.at(-1)?.length ?? 0) {
      const piece = Buffer.alloc(64 * 1024)
      const count = readSync(file, piece, 0, piece.length, at)
      if (count === 0) return Buffer.concat(pieces)
      pieces.push(piece.subarray(0, count))
    }
  } finally {
    closeSync(file)
  }
}
