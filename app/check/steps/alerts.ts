/** Checks the receivers of alerts. Sends no message. */
import { ALERT_ROWS, readNotifications } from '../../../dashboards/alertmanager/settings.ts'
import { type Environment, isSet } from '../../../settings/environment.ts'
import { unknownNames } from '../../../settings/names.ts'
import { HELP } from './help.ts'
import { failed, note, type Outcome, ok, type Step } from './step.ts'

const NAMES = ALERT_ROWS.map(({ variable }) => variable)

/** The ALERT_ variables of the environment, which override those of the settings file, as in Compose. */
export function alertsStep(env: Environment, file: Environment | undefined): Step {
  return { group: 'Alerts', title: 'alert receivers', run: () => receiversIn({ ...file, ...env }, env) }
}

/** `own`: the environment alone, because another step reports the misspelled names of the file. */
function receiversIn(env: Environment, own: Environment): Outcome {
  const read = readNotifications(env)
  const mistakes = [...unknownNames(own, NAMES).misspelled, ...('mistakes' in read ? read.mistakes : [])]
  if ('mistakes' in read || mistakes.length > 0) {
    const next = 'Correct these settings. The Alertmanager of compose.yaml starts only if they are valid.'
    return failed('the settings of the receivers are wrong', {
      details: mistakes,
      next,
      see: HELP.settings,
      misconfigured: true,
    })
  }
  const { receivers, heartbeatUrl } = read.notifications
  const heartbeat = heartbeatUrl ? [] : ['Without ALERT_HEARTBEAT_URL, no one is notified when alerting itself fails.']
  if (receivers.length > 0) return ok(`${receivers.join(', ')} (settings only: no message was sent)`, heartbeat)
  const isAny = NAMES.some((name) => isSet(name, env))
  return isAny
    ? note('ALERT_ settings are set, but none of them is a receiver, so no one is notified')
    : note('none is set, so the Alertmanager of compose.yaml notifies no one')
}
