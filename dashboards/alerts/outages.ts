import type { AlertName } from './alert.ts'

/**
 * Alerts that name, when they are critical, why mail of all applications does not leave. While one fires, and for half an hour after it, the
 * sum of all failures has nothing to add.
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
