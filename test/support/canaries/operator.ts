/** Input other than SMTP: requests to the admin server, secret settings, and the answers of an OTLP receiver. */

import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { writeTemporaryFiles } from '../files/temporary-files.ts'
import { listenOnLoopback } from '../sockets/listen.ts'
import type { Scene } from './client.ts'
import type { CanaryStage } from './stage.ts'

/** The output of the proxy when it is run for `check` or `--help`, or with mistakes in its settings. */
async function ask(command: string | undefined, env: Readonly<Record<string, string>>): Promise<string> {
  const args = ['app/main.ts', ...(command === undefined ? [] : [command])]
  const child = spawn(process.execPath, args, { env: { PATH: process.env.PATH, ...env } })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  return `${out}${err}`
}

/** Requests, settings and exports with canaries. */
export const operatorScenes: Readonly<Record<string, Scene>> = {
  async 'requests to the admin server'(stage) {
    const { canaries } = stage
    const { adminPort } = stage.proxy
    const head = `host: ${canaries.at('Host of a request')}\r\nconnection: close\r\n`
    const requests = [
      `GET /${canaries.at('path of a request')} HTTP/1.1\r\n${head}\r\n`,
      `GET /metrics?${canaries.at('query of a request')}=1 HTTP/1.1\r\n${head}\r\n`,
      `GET / HTTP/1.1\r\n${head}${canaries.at('name of a request header')}: ${canaries.at('value of a request header')}\r\n\r\n`,
      `GET /livez HTTP/1.1\r\n${head}cookie: ${canaries.at('cookie')}\r\nauthorization: Bearer ${canaries.at('token')}\r\n\r\n`,
      `POST /metrics HTTP/1.1\r\n${head}content-length: 30\r\n\r\n${canaries.at('body of a request')}`,
      `${canaries.at('method of a request').toUpperCase()} / HTTP/1.1\r\n${head}\r\n`,
      `GET / HTTP/1.1\r\n${head}x: ${'x'.repeat(20_000)}${canaries.at('header of a request that is too long')}\r\n\r\n`,
      `GET / HTTP/1.1\r\nupgrade: ${canaries.at('protocol to upgrade to')}\r\nconnection: upgrade\r\nhost: x\r\n\r\n`,
      `${canaries.at('bytes that are no request')}\r\n\r\n`,
    ]
    for (const request of requests) stage.put('answers of the admin server', await stage.raw(adminPort, request))
  },

  async 'the command check'(stage) {
    const { canaries } = stage
    const output = ask('check', stage.settings)
    const upstream = await stage.upstream.accept()
    await stage.preamble(upstream)
    await upstream.readLine()
    const name = canaries.at('name in the EHLO reply to check')
    await upstream.send(`250-${name}\r\n250 ${canaries.at('keyword in the EHLO reply to check').toUpperCase()}\r\n`)
    await upstream.readLine()
    await upstream.send(`221 ${canaries.at('reply to the QUIT of check')}\r\n`)
    await upstream.end()
    stage.put('output of check', await output)
    const refused = ask('check', stage.settings)
    const refusing = await stage.upstream.accept()
    await refusing.send(`554 ${canaries.at('greeting that refuses check')}\r\n`)
    stage.put('output of check', await refused)
  },

  async 'mistakes in settings'(stage) {
    const { canaries } = stage
    const key = canaries.at('text of a key file that is none')
    const files = writeTemporaryFiles({ 'key.pem': `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` })
    const credentials = `${canaries.at('user name in a URL of a setting')}:${canaries.at('password in a URL of a setting')}`
    const mistakes: readonly Readonly<Record<string, string>>[] = [
      {
        PROXY_UPSTREAM: `smtp://${credentials}@mail.example:587`,
        PROXY_ADMIN: `http://${credentials}@127.0.0.1:0`,
        PROXY_PASSWORD: canaries.at('value of a variable that there is not'),
        OTEL_EXPORTER_OTLP_ENDPOINT: `ftp://${credentials}@collector.example?key=${canaries.at('parameter of a bad URL')}`,
        OTEL_EXPORTER_OTLP_HEADERS: `${canaries.at('token in place of a header')}`,
        OTEL_EXPORTER_OTLP_LOGS_HEADERS: `x=a%ZZ${canaries.at('token that is badly encoded')}`,
        OTEL_RESOURCE_ATTRIBUTES: `${canaries.at('resource attribute that is none')}`,
        PROXY_TLS_CERT_FILE: `-----BEGIN CERTIFICATE-----\n${canaries.at('certificate in place of its path')}`,
      },
      { PROXY_TLS_CERT_FILE: files.paths['key.pem'], PROXY_TLS_KEY_FILE: files.paths['key.pem'] },
      { PROXY_UPSTREAM_CA_FILE: files.paths['key.pem'] },
    ]
    for (const mistake of mistakes) {
      const output = await ask(undefined, { PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_ADMIN: 'off', ...mistake })
      if (output === '') throw new Error(`no output about ${Object.keys(mistake)}`)
      stage.put('output at a bad configuration', output)
    }
    stage.put('output of --help', await ask('--help', stage.settings))
    files.remove()
  },

  async 'a receiver that refuses exports'(stage) {
    const complaint = stage.canaries.at('complaint of the OTLP receiver')
    const server = createServer((_, response) => response.writeHead(400, complaint).end(complaint))
    const port = await listenOnLoopback(server)
    await oneSession(stage, `http://127.0.0.1:${port}`)
    server.close().closeAllConnections()
    await oneSession(
      stage,
      `http://u:${stage.canaries.at('password of a receiver that is not there')}@127.0.0.1:${port}`,
    )
  },
}

/** Plays one session while exports to `endpoint` fail. */
async function oneSession(stage: CanaryStage, endpoint: string): Promise<void> {
  const proxy = await stage.start({
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${endpoint}/v1/traces`,
  })
  const call = await stage.call(proxy.port)
  await call.ask('QUIT', '221 bye')
  call.end()
  await proxy.line(({ msg }) => msg === 'session')
}
