/** stunnel with `protocol = smtp`: the only other proxy here that speaks STARTTLS to any upstream. */
import { pathOf } from '../processes/process.ts'
import { startConfigured } from './configured.ts'
import { type Contender, needs } from './contender.ts'

export const stunnel: Contender = {
  id: 'stunnel',
  title: 'stunnel',
  role: 'peer',
  cannot: { plain: 'stunnel always adds TLS' },
  missing: () => needs(pathOf('stunnel') !== undefined, 'stunnel4'),
  start: (surroundings) => {
    const { port: upstreamPort, caFile, name } = surroundings.upstream
    return startConfigured(surroundings, {
      command: 'stunnel',
      args: (file) => [file],
      config: (port) => `foreground = yes
pid =
syslog = no
debug = err
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[smtp]
client = yes
protocol = smtp
accept = 127.0.0.1:${port}
connect = 127.0.0.1:${upstreamPort}
sni = ${name}
CAfile = ${caFile}
verifyChain = yes
checkHost = ${name}
`,
    })
  },
}
