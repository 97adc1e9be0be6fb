/** A proxy whose upstream counts connections, and clients that it refuses or that come through a load balancer. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Peer } from '../sockets/scripted-peers.ts'
import { ClientRig, type ClientRigOptions, type Listener } from './client-rig.ts'

/** The proxy requires and trusts a PROXY header from this machine. The clients in it are from documentation networks. */
export const BEHIND_A_BALANCER = {
  PROXY_TRUST_PROXY_PROTOCOL: '127.0.0.1/32',
  PROXY_ALLOW: '127.0.0.0/8,192.0.2.0/24,2001:db8::/32',
  PROXY_CLIENTS: 'billing=192.0.2.0/24',
}

export async function open(context: TestContext, env: Record<string, string>, listener: Listener = 'plain') {
  return await openFor(context, { listener, env })
}

export async function openFor(context: TestContext, options: ClientRigOptions) {
  const rig = await ClientRig.open(options)
  context.after(() => rig.close())
  return rig
}

/** The client receives exactly this reply and a FIN, and the proxy does not dial the upstream. */
export async function isRefused(rig: ClientRig, client: Peer, reply: string): Promise<void> {
  const { connections } = rig.upstream
  await client.closed()
  assert.equal(client.log.all.toString('latin1'), reply)
  client.destroy()
  assert.equal(rig.upstream.connections, connections)
}

/** A PROXY header of version 1. */
export function v1(source: string, family: 'TCP4' | 'TCP6' = 'TCP4'): string {
  return `PROXY ${family} ${source} ${family === 'TCP4' ? '198.51.100.1' : '2001:db8::25'} 4711 25\r\n`
}
