/** What both nginx contenders share: one worker, in the foreground, with its files in the temporary folder. */
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { pathOf } from '../processes/process.ts'
import { startConfigured } from './configured.ts'
import { needs, type Running, type Surroundings } from './contender.ts'

/** Where Debian keeps dynamic modules. */
const MODULES = '/usr/lib/nginx/modules'

function moduleFile(module: string): string {
  return join(MODULES, `ngx_${module}_module.so`)
}

/** Debian's nginx loads modules from files. */
export function missingNginx(module: 'stream' | 'mail'): string | undefined {
  if (pathOf('nginx') === undefined) return needs(false, `nginx-core libnginx-mod-${module}`)
  return needs(existsSync(moduleFile(module)), `libnginx-mod-${module}`)
}

/** Starts nginx with this configuration below the common part. */
export function startNginx(
  surroundings: Surroundings,
  module: 'stream' | 'mail',
  config: (port: number) => string,
): Promise<Running> {
  const { folder } = surroundings
  // a worker with another user would outlive this process if it is killed
  const user = userInfo().uid === 0 ? `user ${userInfo().username} root;` : ''
  return startConfigured(surroundings, {
    command: 'nginx',
    args: (file) => ['-e', join(folder, 'error.log'), '-p', folder, '-c', file],
    config: (port) => `load_module ${moduleFile(module)};
${user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${join(folder, 'nginx.pid')};
events { worker_connections 8000; }
${config(port)}`,
  })
}
