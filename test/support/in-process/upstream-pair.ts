/** Two scripted upstreams and a proxy that prefers the first, for tests of failover. */
import type { DialError } from '../../../proxy/events/closed-sets.ts'
import { ScriptedUpstream } from '../sockets/scripted-peers.ts'
import { type DialRig, startDialRig } from './dial-rig.ts'
import type { Trust } from './trust.ts'

/** The rig and its upstreams. Disposing of the pair stops all. */
export interface UpstreamPair {
  readonly first: ScriptedUpstream
  readonly second: ScriptedUpstream
  readonly rig: DialRig
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts both upstreams and the proxy. `env` holds further settings of the proxy. */
export async function startUpstreamPair(
  trust: Trust,
  env: Readonly<Record<string, string>> = {},
): Promise<UpstreamPair> {
  const [first, second] = [await ScriptedUpstream.start(), await ScriptedUpstream.start()]
  const rig = await startDialRig([`localhost:${first.port}`, `localhost:${second.port}`], trust, { env })
  return {
    first,
    second,
    rig,
    [Symbol.asyncDispose]: async () => {
      await rig[Symbol.asyncDispose]().finally(() => Promise.all([first.close(), second.close()]))
    },
  }
}

/** The result of each dial, in order; undefined for success. */
export function dialsOf(rig: DialRig): (DialError | undefined)[] {
  return rig.recorder.dials.map((dial) => dial.error)
}
