/** The programs of the demo and the rehearsal. In a bundle, this module is replaced: there the proxy is a bundle, too. */
import { join } from 'node:path'

/** The file that runs the proxy. */
export const PROXY_FILE = join(import.meta.dirname, '../../app/main.ts')

/** How users start the demo or the rehearsal, up to its arguments. */
export function commandOf(name: 'demo' | 'rehearsal'): string {
  return `npm run ${name} --`
}
