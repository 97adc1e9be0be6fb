import type { AlertName } from './alert.ts'

/**
 * Alerts that, when critical, name the reason why the mail of all apps fails. While one fires, and for half an hour after
 * it, SmtpProxyErrorBudgetBurning is silent because it adds no information.
 */
export const NAMED_OUTAGES = [
  'AhaSendDroppingSessions',
  'AhaSendInternalErrors',
  'AhaSendLoadShedding',
  'AhaSendTemporaryErrors',
  'AhaSendUnreachable',
  'SmtpProxyOutOfResources',
  'SmtpProxyRefusingSessions',
] as const satisfies readonly AlertName[]
