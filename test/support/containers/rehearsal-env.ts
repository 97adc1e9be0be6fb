/**
 * The settings of .env that a rehearsal uses with `--env-file .env --env-file rehearsal.env`: a closed list with
 * reasons.
 */
import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { envFileOf, type Project, readProject } from './compose.ts'
import { ROOT } from './engine.ts'

type Reasons = Readonly<Record<string, readonly string[]>>

/** The settings of this machine that a rehearsal uses, in addition to the receivers (ALERT_*). */
export const OF_THE_MACHINE: Reasons = {
  'the sources of images on this machine': [
    'PROXY_IMAGE',
    'NODE_IMAGE',
    'PROMETHEUS_IMAGE',
    'ALERTMANAGER_IMAGE',
    'TEMPO_IMAGE',
    'GRAFANA_IMAGE',
    'HAPROXY_IMAGE',
    'REHEARSAL_IMAGE',
  ],
  'the label of images that are built here': ['REVISION'],
  'the memory and the cores of this machine': [
    'PROXY_MEMORY',
    'PROXY_CPUS',
    'PROMETHEUS_MEMORY',
    'ALERTMANAGER_MEMORY',
    'TEMPO_MEMORY',
    'GRAFANA_MEMORY',
    'HAPROXY_MEMORY',
  ],
  'the disk space of this machine': ['PROMETHEUS_RETENTION', 'PROMETHEUS_RETENTION_SIZE', 'TEMPO_RETENTION'],
  'the log storage of this machine': ['LOG_DRIVER'],
  'the users and plugins of Grafana on this machine': [
    'GRAFANA_ADMIN_USER',
    'GRAFANA_ADMIN_PASSWORD',
    'GRAFANA_DISABLED_PLUGINS',
  ],
}

/** Settings of the real proxy that a rehearsal uses: none so far. */
export const OF_THE_PROXY: Reasons = {}

/** The project of the rehearsal with `--env-file .env --env-file rehearsal.env`. */
export function rehearsalWith(env: Readonly<Record<string, string>>): Project {
  using directory = temporaryDirectory('rehearsal-')
  const file = join(directory.path, '.env')
  writeFileSync(file, envFileOf(env))
  return readProject({ envFiles: [relative(ROOT, file), 'rehearsal.env'] })
}
