/** A real OpenTelemetry Collector: it receives OTLP on the loopback interface and tells the test what it received. */
import { closeSync, type FSWatcher, mkdtempSync, openSync, readFileSync, readSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { missing } from '../programs/programs.ts'
import { startProgram } from '../programs/running-program.ts'
import { type LogRecord, logsOf, type MetricPoint, pointsOf, type Span, spansOf } from './otlp-json.ts'

/**
 * All that was received so far, as soon as `enough` says that it is enough (at once, by default). Rejects with the names
 * of what is there when `limitMs` (30 s) pass.
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
  /** Points, in the order in which they came: each export has one for each series. */
  readonly metrics: Received<MetricPoint>
  /** Everything that was received so far, as the Collector wrote it down: JSON lines. */
  exported(): string
  /** Resolves when the Collector has ended and its files are gone. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Why there can be no Collector, and what would help; undefined when there can. */
export function collectorMissing(): string | undefined {
  return missing('collector')
}

/** Starts a Collector on a free port. What it has answered with success, it has written. Throws when it is not built. */
export async function startCollector(): Promise<Collector> {
  const directory = mkdtempSync(join(tmpdir(), 'collector-'))
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
    close(watcher, directory)
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

function close(watcher: FSWatcher, directory: string): void {
  watcher.close()
  rmSync(directory, { recursive: true, force: true })
}

function configOf(directory: string) {
  const signals = ['traces', 'logs', 'metrics']
  // With rotation the exporter writes each export at once, without a buffer of its own; it never comes to rotating.
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
  readonly #waiting = new Set<() => void>()
  /** Octets that are read and parsed. */
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

  /** Lets those look who wait for something. */
  look(): void {
    if (this.#waiting.size === 0) return
    this.#read()
    for (const look of this.#waiting) look()
  }

  readonly until: Received<Item> = (enough = () => true, limitMs = 30_000) =>
    new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        settle()
      }
      const look = () => {
        if (enough(this.#items)) end(() => resolve([...this.#items]))
      }
      const timer = setTimeout(() => end(() => reject(new Error(this.#tooLittle(limitMs)))), limitMs)
      this.#waiting.add(look)
      this.look()
    })

  text(): string {
    try {
      return readFileSync(this.#path, 'utf8')
    } catch {
      return ''
    }
  }

  #tooLittle(limitMs: number): string {
    const names = this.#items.map(this.#nameOf)
    return `not what was waited for within ${limitMs} ms, but ${names.length}: ${names.slice(-50).join(', ')}`
  }

  /** Takes whole lines only: a line may be written in pieces. */
  #read(): void {
    const fresh = contentFrom(this.#path, this.#offset)
    const whole = fresh.subarray(0, fresh.lastIndexOf(0x0a) + 1)
    this.#offset += whole.length
    const lines = whole.toString().split('\n').slice(0, -1)
    for (const line of lines) this.#items.push(...this.#parse(line))
  }
}

/** The octets of a file behind an offset; none when there is no such file. */
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
