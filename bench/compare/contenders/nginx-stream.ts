/** nginx as a TCP proxy. It does not speak STARTTLS, so its upstream has TLS from the first byte. */
import type { Contender } from './contender.ts'
import { missingNginx, startNginx } from './nginx.ts'

export const nginxStream: Contender = {
  id: 'nginx-stream',
  title: 'nginx stream',
  role: 'peer',
  missing: () => missingNginx('stream'),
  start: (surroundings) => {
    const { implicitPort, security, caFile, name } = surroundings.upstream
    const tls = `
    proxy_ssl on;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate ${caFile};
    proxy_ssl_name ${name};
    proxy_ssl_server_name on;
    proxy_ssl_protocols TLSv1.2 TLSv1.3;`
    return startNginx(
      surroundings,
      'stream',
      (port) => `stream {
  server {
    listen 127.0.0.1:${port} backlog=4096 so_keepalive=off;
    proxy_pass 127.0.0.1:${implicitPort};
    tcp_nodelay on;${security === 'tls' ? tls : ''}
  }
}
`,
    )
  },
}
