/** Haraka with its smtp_proxy plugin. Installed from npm into .cache when it is compared: it is no dependency of the project. */
import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, listening } from '../processes/ports.ts'
import { start } from '../processes/process.ts'
import type { Contender, Surroundings } from './contender.ts'

const VERSION = '3.3.4'
const INSTALLED = join(import.meta.dirname, `../../../.cache/haraka-${VERSION}`)
const PACKAGE = join(INSTALLED, 'node_modules/Haraka')
const MAIN = join(PACKAGE, 'bin/haraka')
const INSTALL_LIMIT_MS = 180_000

export const haraka: Contender = {
  id: 'haraka',
  title: 'Haraka smtp_proxy',
  role: 'peer',
  missing: async () => (existsSync(MAIN) ? undefined : install()),
  start: async (surroundings) => {
    const port = await freePort()
    writeConfig(surroundings, port)
    const program = start(process.execPath, [...surroundings.nodeOptions, MAIN, '-c', surroundings.folder])
    await listening(port, program.failure)
    return { port, program, isNode: true }
  },
}

/** Installs the exact version without running scripts. Returns why that failed. */
async function install(): Promise<string | undefined> {
  mkdirSync(INSTALLED, { recursive: true })
  const args = ['install', '--prefix', INSTALLED, '--ignore-scripts', '--no-audit', '--no-fund', `Haraka@${VERSION}`]
  console.error(`installing Haraka ${VERSION} into .cache`)
  try {
    await promisify(execFile)('npm', args, { timeout: INSTALL_LIMIT_MS })
    return undefined
  } catch (error) {
    return `npm could not install Haraka@${VERSION}: ${(error as Error).message.split('\n')[0]}`
  }
}

function writeConfig({ folder, upstream }: Surroundings, port: number): void {
  mkdirSync(join(folder, 'config'))
  // Haraka crashes without the sections of this file
  copyFileSync(join(PACKAGE, 'config/connection.ini'), join(folder, 'config/connection.ini'))
  const tls = upstream.security === 'tls'
  const files = {
    'smtp.ini': `listen=127.0.0.1:${port}\nnodes=0\n`,
    'smtp_proxy.ini': `host=127.0.0.1\nport=${upstream.port}\n${tls ? 'enable_tls=true\n' : ''}`,
    'tls.ini': '[outbound]\nrejectUnauthorized=true\n',
    plugins: 'rcpt_to.in_host_list\nqueue/smtp_proxy\n',
    'log.ini': '[main]\nlevel=error\n',
    me: 'proxy.example\n',
    host_list: 'example.net\n',
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'config', name), text)
}
