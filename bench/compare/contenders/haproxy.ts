/** HAProxy as a TCP proxy, with one thread. It does not speak STARTTLS, so its upstream has TLS from the first byte. */
import { pathOf } from '../processes/process.ts'
import { startConfigured } from './configured.ts'
import { type Contender, needs } from './contender.ts'

export const haproxy: Contender = {
  id: 'haproxy',
  title: 'HAProxy',
  role: 'peer',
  missing: () => needs(pathOf('haproxy') !== undefined, 'haproxy'),
  start: (surroundings) => {
    const { implicitPort, security, caFile, name } = surroundings.upstream
    const tls = security === 'tls' ? ` ssl verify required verifyhost ${name} ca-file ${caFile} sni str(${name})` : ''
    return startConfigured(surroundings, {
      command: 'haproxy',
      args: (file) => ['-db', '-q', '-f', file],
      config: (port) => `global
  nbthread 1
  maxconn 8000
defaults
  mode tcp
  timeout connect 10s
  timeout client 5m
  timeout server 5m
listen smtp
  bind 127.0.0.1:${port} backlog 4096
  server sink 127.0.0.1:${implicitPort}${tls}
`,
    })
  },
}
