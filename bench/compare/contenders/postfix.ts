/** Postfix as a before-queue proxy (`smtpd_proxy_filter`): it passes each message on while it reads it, and stores nothing. */
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort, listening } from '../processes/ports.ts'
import { pathOf, start } from '../processes/process.ts'
import { type Contender, needs, type Surroundings } from './contender.ts'

/** Where Debian keeps the servers of Postfix. */
const SERVERS = '/usr/lib/postfix/sbin'

export const postfix: Contender = {
  id: 'postfix',
  title: 'Postfix before-queue proxy',
  role: 'peer',
  cannot: { tls: 'the proxy filter of Postfix has no TLS' },
  missing: () => {
    if (pathOf(`${SERVERS}/master`) === undefined) return needs(false, 'postfix')
    return userInfo().uid === 0 ? undefined : 'Postfix starts only as root'
  },
  start: async (surroundings) => {
    const port = await freePort()
    const config = writeConfig(surroundings, port)
    const program = start(`${SERVERS}/master`, ['-c', config, '-d'])
    await listening(port, program.failure)
    return { port, program }
  },
}

function writeConfig({ folder, upstream }: Surroundings, port: number): string {
  const [config, queue, data] = ['config', 'queue', 'data'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const [uid, gid] = idsOfPostfix()
  for (const path of [config, queue, data, join(queue, 'pid')]) mkdirSync(path)
  for (const name of ['public', 'private', 'active', 'incoming', 'maildrop', 'defer', 'deferred', 'bounce', 'flush']) {
    mkdirSync(join(queue, name))
    chownSync(join(queue, name), uid, gid)
  }
  chownSync(data, uid, gid)
  writeFileSync(join(config, 'main.cf'), mainCf(queue, data))
  writeFileSync(join(config, 'master.cf'), masterCf(port, upstream.port))
  return config
}

function idsOfPostfix(): readonly [number, number] {
  const fields = /^postfix:.*$/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[0].split(':') ?? []
  return [Number(fields[2]), Number(fields[3])]
}

const mainCf = (queue: string, data: string) => `compatibility_level = 3.6
queue_directory = ${queue}
data_directory = ${data}
daemon_directory = ${SERVERS}
command_directory = /usr/sbin
inet_protocols = ipv4
myhostname = proxy.example
mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
local_recipient_maps =
alias_maps =
message_size_limit = 52428800
default_process_limit = 100
`

const masterCf = (port: number, upstreamPort: number) => `127.0.0.1:${port} inet n - n - - smtpd
  -o smtpd_proxy_filter=127.0.0.1:${upstreamPort}
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
cleanup unix n - n - 0 cleanup
`
