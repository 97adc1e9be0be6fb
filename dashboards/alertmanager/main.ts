/**
 * Alertmanager reads no environment variables, so this program writes its configuration file from them:
 *
 *     node dashboards/alertmanager/main.ts FILE
 *
 * writes FILE, which only its owner may read, and exits 0. If the variables are wrong, it reports what is wrong and exits
 * 2. If the file cannot be written, it reports why and exits 1. It needs only Node. In the image, it is
 * alertmanager-config.cjs.
 */
import type { Environment } from '../../settings/environment.ts'
import { unknownNames } from '../../settings/names.ts'
import { alertmanagerConfig } from './alertmanager.ts'
import { writeSecretFile } from './secret-file.ts'
import { ALERT_ROWS, readNotifications } from './settings.ts'
import { STACK_VARIABLES } from './stack-variables.ts'

const ALERT_NAMES = ALERT_ROWS.map(({ variable }) => variable)

/** Writes the file. Returns the exit code: 0, 1 if the file cannot be written, or 2 on mistakes in the variables. */
function main(file: string | undefined, env: Environment): 0 | 1 | 2 {
  const read = readNotifications(env)
  const { misspelled, foreign } = unknownNames(env, ALERT_NAMES)
  const mistakes = [
    ...('mistakes' in read ? read.mistakes : []),
    ...misspelled,
    ...unknownNames(env, STACK_VARIABLES).misspelled,
    ...(file === undefined ? [`usage: node ${process.argv[1]} FILE`] : []),
  ]
  if (foreign.length > 0) console.error(`warning: ${foreign.join(', ')}: unknown and ignored`)
  for (const mistake of mistakes) console.error(mistake)
  if (file === undefined || 'mistakes' in read || mistakes.length > 0) return 2
  const failure = writeSecretFile(file, `${JSON.stringify(alertmanagerConfig(read.notifications), null, 2)}\n`)
  if (failure !== undefined) {
    console.error(failure)
    return 1
  }
  const { receivers, heartbeatUrl } = read.notifications
  console.log(`${file}: ${receivers.join(', ') || 'no receivers'}${heartbeatUrl ? '; heartbeat' : ''}`)
  return 0
}

process.exitCode = main(process.argv[2], process.env)
