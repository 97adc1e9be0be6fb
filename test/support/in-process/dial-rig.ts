/**
 * The proxy in this process, on a free port, with a recorder of its events: for tests of what happens between accept
 * and greeting. The proxy preconnects nothing, so each upstream connection belongs to one client.
 */
import assert from 'node:assert/strict'
import { createSecureContext } from 'node:tls'
import { type LIMITS, type ProxyServer, startServer } from '../../../proxy/server/server.ts'
import { connectClient, type Peer, ScriptedUpstream } from '../sockets/scripted-peers.ts'
import type { Transcript } from '../sockets/transcript.ts'
import { configOf } from './config.ts'
import { Recorder } from './recorder.ts'
import { certificateSettings, type Trust } from './trust.ts'

export interface DialRigOptions {
  /** Further settings; they override the defaults. */
  readonly env?: Readonly<Record<string, string>>
  readonly limits?: Partial<typeof LIMITS>
  /** True: the listener expects TLS from the first byte. `connect` still returns a client without TLS. */
  readonly smtps?: boolean
}

/** A running proxy. */
export interface DialRig {
  readonly server: ProxyServer
  readonly recorder: Recorder
  readonly port: number
  /** Connects a client to it. */
  connect(transcript?: Transcript): Promise<Peer>
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts a proxy in front of `upstreams` (each `host:port`, parameters allowed). */
export async function startDialRig(
  upstreams: readonly string[],
  trust: Trust | undefined,
  options: DialRigOptions = {},
): Promise<DialRig> {
  const config = configOf({
    PROXY_LISTEN: 'smtp://127.0.0.1:0',
    PROXY_UPSTREAM: upstreams.map((upstream) => `smtp://${upstream}`).join(','),
    PROXY_WARM_CONNECTIONS: '0',
    ...(trust && { PROXY_UPSTREAM_CA_FILE: trust.caFile }),
    ...(options.smtps && trust && { PROXY_LISTEN: 'smtps://127.0.0.1:0', ...certificateSettings(trust) }),
    ...options.env,
  })
  const { limits, smtps } = options
  const recorder = new Recorder()
  const server = await startServer({
    config,
    telemetry: recorder,
    ...(limits && { limits }),
    ...(smtps && trust && { certificate: { context: createSecureContext(trust.identity) } }),
  })
  const { address: host, port } = server.bound[0]!
  return {
    server,
    recorder,
    port,
    connect: (transcript) => connectClient({ host, port, ...(transcript && { transcript }) }),
    [Symbol.asyncDispose]: async () => {
      await server.close()
      assert.deepEqual(recorder.failures, [], 'no observer failed')
      assert.deepEqual(recorder.preconnects, [], 'a session waited for each dial')
      assert.equal(server.activeSessions, 0, 'every session has ended')
    },
  }
}

/** A proxy in front of one scripted upstream. Both peers write to the same transcript. */
export interface Scene extends DialRig {
  readonly upstream: ScriptedUpstream
  /** Connects a client, and waits for the proxy's connection to the upstream. */
  meet(): Promise<{ readonly client: Peer; readonly peer: Peer }>
}

export interface SceneOptions extends DialRigOptions {
  /** The upstream's host name in PROXY_UPSTREAM. Default `localhost`. */
  readonly host?: string
  /** Connects to the upstream without TLS, which the proxy allows at 127.0.0.1 only. */
  readonly plaintext?: boolean
}

/** Starts both. Disposing of the scene stops both. */
export async function startScene(trust: Trust | undefined, options: SceneOptions = {}): Promise<Scene> {
  const upstream = await ScriptedUpstream.start()
  const address = options.plaintext
    ? `127.0.0.1:${upstream.port}?tls=off`
    : `${options.host ?? 'localhost'}:${upstream.port}`
  const rig = await startDialRig([address], trust, options)
  const connect = () => rig.connect(upstream.transcript)
  return {
    ...rig,
    upstream,
    connect,
    meet: async () => ({ client: await connect(), peer: await upstream.accept() }),
    [Symbol.asyncDispose]: async () => {
      await rig[Symbol.asyncDispose]().finally(() => upstream.close())
    },
  }
}
