/** Programs that read a configuration file and cannot choose a free port themselves. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, listening } from '../processes/ports.ts'
import { start } from '../processes/process.ts'
import type { Running, Surroundings } from './contender.ts'

interface Configured {
  readonly command: string
  /** The configuration for a port to listen on. */
  readonly config: (port: number) => string
  /** The arguments for the file with the configuration. */
  readonly args: (file: string) => readonly string[]
}

/** Writes the configuration, starts the program, and waits until it listens. */
export async function startConfigured(
  { folder }: Surroundings,
  { command, config, args }: Configured,
): Promise<Running> {
  const port = await freePort()
  const file = join(folder, `${command}.conf`)
  writeFileSync(file, config(port))
  const program = start(command, args(file))
  await listening(port, program.failure)
  return { port, program }
}
