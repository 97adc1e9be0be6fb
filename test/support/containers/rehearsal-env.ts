/** What .env may say to a rehearsal when it stands before rehearsal.env: a closed list, by its reasons. */
import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { envFileOf, type Project, readProject } from './compose.ts'
import { ROOT } from './engine.ts'

type Reasons = Readonly<Record<string, readonly string[]>>

/** What a rehearsal takes over beside whom to tell of alerts (ALERT_*). */
export const OF_THE_MACHINE: Reasons = {
  'where this machine gets its images from': [
    'PROXY_IMAGE',
    'NODE_IMAGE',
    'PROMETHEUS_IMAGE',
    'ALERTMANAGER_IMAGE',
    'TEMPO_IMAGE',
    'GRAFANA_IMAGE',
    'REHEARSAL_IMAGE',
  ],
  'what an image that is built here says of its making': ['REVISION'],
  'how much memory, and how many cores, this machine has': [
    'PROXY_MEMORY',
    'PROXY_CPUS',
    'PROMETHEUS_MEMORY',
    'ALERTMANAGER_MEMORY',
    'TEMPO_MEMORY',
    'GRAFANA_MEMORY',
  ],
  'how much disk this machine has': ['PROMETHEUS_RETENTION', 'PROMETHEUS_RETENTION_SIZE', 'TEMPO_RETENTION'],
  'how this machine keeps logs': ['LOG_DRIVER'],
  'who looks at dashboards here, and at which': [
    'GRAFANA_ADMIN_USER',
    'GRAFANA_ADMIN_PASSWORD',
    'GRAFANA_DISABLED_PLUGINS',
  ],
}

/** Settings that the proxy of a rehearsal takes over: none so far. */
export const OF_THE_PROXY: Reasons = {}

/** The rehearsal as `--env-file .env --env-file rehearsal.env` has it. */
export function rehearsalBehind(env: Readonly<Record<string, string>>): Project {
  using directory = temporaryDirectory('rehearsal-')
  const file = join(directory.path, '.env')
  writeFileSync(file, envFileOf(env))
  return readProject({ envFiles: [relative(ROOT, file), 'rehearsal.env'] })
}
