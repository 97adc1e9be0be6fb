/** The upstream and the contenders of one stage of the plan, each a process of its own. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Contender, Running } from './contenders/contender.ts'
import type { Place } from './load/connection.ts'
import { startNode } from './processes/node-program.ts'
import type { Started } from './processes/process.ts'
import type { RunningUpstream } from './sinks/upstream.ts'

const COLLECTOR = join(import.meta.dirname, 'contenders/programs/collector-main.ts')

export class Stage {
  readonly upstream: RunningUpstream
  readonly #collector: Started
  readonly #collectorPort: number
  readonly #settings: Readonly<Record<string, string>>
  readonly #profiles: string | undefined
  readonly #folder: string
  readonly #running = new Map<string, Running>()
  #folders = 0

  private constructor(
    { upstream, settings, profiles, folder }: StageParts,
    collector: { readonly program: Started; readonly ready: { readonly port: number } },
  ) {
    this.upstream = upstream
    this.#settings = settings
    this.#profiles = profiles
    this.#folder = folder
    this.#collector = collector.program
    this.#collectorPort = collector.ready.port
  }

  /** Starts the OTLP receiver. Contenders start when they are needed first. */
  static async open(parts: StageParts): Promise<Stage> {
    return new Stage(parts, await startNode<{ port: number }>(COLLECTOR, []))
  }

  /** The contender, started before or now. Node programs that are started now get these options. */
  async running(contender: Contender, nodeOptions: readonly string[] = []): Promise<Running> {
    const known = this.#running.get(contender.id)
    const failure = known?.program?.failure()
    if (failure !== undefined) throw new Error(failure)
    const running = known ?? (await this.#start(contender, nodeOptions))
    this.#running.set(contender.id, running)
    return running
  }

  /** Where the load goes. The generator itself speaks TLS only without a contender. */
  placeOf({ port, program }: Running): Place {
    return program === undefined && this.upstream.security === 'tls' ? { port, ca: this.upstream.ca } : { port }
  }

  /** Stops the contender, so that it starts again when it is needed. */
  async stop(contender: Contender): Promise<void> {
    const running = this.#running.get(contender.id)
    this.#running.delete(contender.id)
    for (const one of running?.helpers ?? []) await one.stop()
    await running?.program?.stop()
  }

  /** Stops all programs of the stage. */
  async [Symbol.asyncDispose](): Promise<void> {
    const running = [...this.#running.values()]
    const programs = running.flatMap(({ program, helpers = [] }) => [...(program ? [program] : []), ...helpers])
    await Promise.all([...programs, this.#collector, ...this.upstream.programs].map((program) => program.stop()))
  }

  async #start(contender: Contender, nodeOptions: readonly string[]): Promise<Running> {
    this.#folders += 1
    const folder = join(this.#folder, `${contender.id}-${this.#folders}`)
    mkdirSync(folder)
    const { upstream } = this
    return contender.start({
      upstream,
      folder,
      collectorPort: this.#collectorPort,
      settings: this.#settings,
      profiles: this.#profiles,
      nodeOptions,
    })
  }
}

export interface StageParts {
  readonly upstream: RunningUpstream
  readonly settings: Readonly<Record<string, string>>
  readonly profiles: string | undefined
  /** A folder for the contenders' files. */
  readonly folder: string
}
