// Prints the Debian packages that provide all clients: apt-get install --no-install-recommends $(node test/clients/packages.ts)
import { CLIENTS } from './clients.ts'

console.log(CLIENTS.flatMap((client) => client.packages).join(' '))
