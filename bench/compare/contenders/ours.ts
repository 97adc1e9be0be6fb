/** ahasend-smtp-proxy, with four amounts of telemetry, and with two event loops. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, listening } from '../processes/ports.ts'
import { type Started, start } from '../processes/process.ts'
import type { Contender, Surroundings } from './contender.ts'

type Settings = Readonly<Record<string, string>>

const MAIN = join(import.meta.dirname, '../../../app/entry.js')

/** The proxy with default telemetry, which the loads of W5 refer to. */
export const oursDefault = ours('ours', 'ours, default telemetry', () => ({}))

export const ourVariants: readonly Contender[] = [
  ours('ours-off', 'ours, telemetry off', () => ({ OTEL_SDK_DISABLED: 'true', PROXY_LOG_LEVEL: 'silent' })),
  oursDefault,
  ours('ours-2', 'ours, two event loops', () => ({ PROXY_WORKERS: '2' })),
  ours('ours-10', 'ours, 10% traced', (collector) => ({ ...exporting(collector), OTEL_TRACES_SAMPLER_ARG: '0.1' })),
  ours('ours-100', 'ours, 100% traced', (collector) => ({ ...exporting(collector), OTEL_TRACES_SAMPLER: 'always_on' })),
]

function exporting(collectorPort: number): Settings {
  return { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collectorPort}` }
}

function ours(id: string, title: string, telemetry: (collectorPort: number) => Settings): Contender {
  return {
    id,
    title,
    role: 'ours',
    missing: () => undefined,
    start: async (surroundings) => {
      const port = await freePort()
      const { log, reader } = logPipe(surroundings.folder)
      const env = {
        ...settings(surroundings, port),
        ...telemetry(surroundings.collectorPort),
        ...surroundings.settings,
      }
      const args = ['--disable-sigusr1', ...profiling(id, surroundings), ...surroundings.nodeOptions, MAIN]
      const program = start(process.execPath, args, { env, stdio: ['ignore', log, 'pipe'] })
      closeSync(log)
      await listening(port, program.failure)
      return { port, program, isNode: true, helpers: [reader] }
    },
  }
}

function settings({ upstream }: Surroundings, port: number): Settings {
  const tls = upstream.security === 'tls'
  return {
    PATH: process.env.PATH ?? '',
    PROXY_LISTEN: `smtp://127.0.0.1:${port}`,
    PROXY_ADMIN: 'http://127.0.0.1:0',
    PROXY_UPSTREAM: tls ? `smtp://${upstream.name}:${upstream.port}` : `smtp://127.0.0.1:${upstream.port}?tls=off`,
    ...(tls && { PROXY_UPSTREAM_CA_FILE: upstream.caFile }),
  }
}

/** The profile is written when the proxy stops. */
function profiling(id: string, { profiles, upstream }: Surroundings): string[] {
  if (profiles === undefined) return []
  const name = `${id}-${upstream.security}-${Date.now()}.cpuprofile`
  return ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${name}`]
}

/** A pipe with a reader, as a container engine or systemd has it: log lines to a file or to nothing would cost less. */
function logPipe(folder: string): { readonly log: number; readonly reader: Started } {
  const fifo = join(folder, 'log')
  execFileSync('mkfifo', [fifo])
  // its output goes nowhere: this process would compete with what it measures if it read the lines, too
  const reader = start('cat', [fifo], { stdio: 'ignore' })
  // for reading and writing, because that does not wait for the reader
  return { log: openSync(fifo, constants.O_RDWR), reader }
}
