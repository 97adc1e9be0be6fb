// Prints the Debian packages that provide all apps: apt-get install --no-install-recommends $(node test/docs/apps/packages.ts)
import { APPS } from './apps.ts'

console.log([...new Set(APPS.flatMap((app) => app.packages))].join(' '))
