/** One side closes before the client got a greeting: nothing is left open, and the client gets a reply. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { type Scene, startDialRig, startScene } from '../../support/in-process/dial-rig.ts'
import { OpenResources } from '../../support/in-process/open-resources.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { openBlackHole } from '../../support/sockets/black-hole.ts'
import type { Peer } from '../../support/sockets/scripted-peers.ts'

const SILENT = 'the upstream is silent'
const SAID_421 = '421 4.3.2 mail.example shutting down\r\n'

describe('Before the greeting', () => {
  let trust: Trust
  before(async () => {
    trust = await makeTrust()
  })
  after(() => trust.remove())

  /** What upstreams do before they have greeted, and what the client reads. */
  const UPSTREAMS: readonly (readonly [string, (peer: Peer) => Promise<unknown>, string])[] = [
    ['the upstream closes', (peer) => peer.end(), localReplies.UNREACHABLE.bytes.toString()],
    ['the upstream resets', (peer) => peer.reset(), localReplies.UNREACHABLE.bytes.toString()],
    [
      'the upstream says half a greeting and closes',
      (peer) => peer.send('220-mail').then(() => peer.end()),
      localReplies.UNREACHABLE.bytes.toString(),
    ],
    [SILENT, async () => {}, localReplies.UNREACHABLE.bytes.toString()],
    ['the upstream sends 421 and closes', (peer) => peer.send(SAID_421).then(() => peer.end()), SAID_421],
  ]
  for (const [what, does, told] of UPSTREAMS) {
    test(`${what}: the client gets one reply, and both connections are closed (GRT-05, GRT-10)`, async () => {
      using resources = new OpenResources()
      {
        const env = { PROXY_DIAL_TIMEOUT: what === SILENT ? '300ms' : '10s' }
        await using scene = await startScene(trust, { env })
        const { client, peer } = await scene.meet()
        await does(peer)
        assert.equal(await client.closed(), 'fin')
        assert.equal(client.log.all.toString(), told)
        await client.end()
        await peer.closed()
        peer.destroy()
        await scene.recorder.closed()
      }
      await resources.allClosed(what)
    })
  }

  const CLIENTS: readonly (readonly [string, (client: Peer) => Promise<void>])[] = [
    ['closes', (client) => client.end()],
    ['resets', (client) => client.reset()],
  ]
  for (const [what, does] of CLIENTS) {
    test(`the client ${what} while the proxy connects to the upstream: the attempt is given up (DIS-11)`, async () => {
      await using hole = await openBlackHole('127.0.0.1')
      using resources = new OpenResources()
      {
        await using rig = await startDialRig([`127.0.0.1:${hole.port}`], trust, { env: { PROXY_DIAL_TIMEOUT: '20s' } })
        const client = await rig.connect()
        await does(client)
        assert.equal((await rig.recorder.closed()).all('session-close').length, 1)
        client.destroy()
      }
      await resources.allClosed(what)
    })

    test(`the client ${what} while the greeting is awaited: the upstream connection is closed (DIS-11)`, async () => {
      using resources = new OpenResources()
      {
        await using scene = await startScene(trust)
        const { client, peer } = await scene.meet()
        await does(client)
        await peer.closed()
        await left(scene)
        assert.equal(peer.log.length, 0)
        client.destroy()
        peer.destroy()
      }
      await resources.allClosed(what)
    })
  }

  async function left(scene: Scene): Promise<void> {
    const { by } = (await scene.recorder.closed()).one('session-close')
    assert.equal(by, 'client')
  }
})
