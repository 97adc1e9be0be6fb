/**
 * nginx as a mail proxy: it answers up to RCPT itself and then connects to the upstream that an HTTP service names. Here, the
 * same nginx is that service.
 */
import { freePort } from '../processes/ports.ts'
import type { Contender } from './contender.ts'
import { missingNginx, startNginx } from './nginx.ts'

export const nginxMail: Contender = {
  id: 'nginx-mail',
  title: 'nginx mail',
  role: 'peer',
  cannot: { tls: 'nginx mail has no TLS to the upstream' },
  missing: () => missingNginx('mail'),
  start: async (surroundings) => {
    const authPort = await freePort()
    const { port: upstreamPort } = surroundings.upstream
    return startNginx(
      surroundings,
      'mail',
      (port) => `http {
  access_log off;
  server {
    listen 127.0.0.1:${authPort};
    location / {
      add_header Auth-Status OK;
      add_header Auth-Server 127.0.0.1;
      add_header Auth-Port ${upstreamPort};
      return 200;
    }
  }
}
mail {
  server_name proxy.example;
  auth_http 127.0.0.1:${authPort}/;
  xclient off;
  proxy_pass_error_message on;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    protocol smtp;
    smtp_auth none;
    smtp_capabilities PIPELINING "SIZE 52428800" 8BITMIME;
    timeout 5m;
  }
}
`,
    )
  },
}
