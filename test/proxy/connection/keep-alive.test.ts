/** When the kernel begins to look for peers that vanished. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { startScene } from '../../support/in-process/dial-rig.ts'
import { until } from '../../support/waiting/until.ts'

const TABLE = '/proc/net/tcp'

/** The code of the keepalive timer in the kernel's table of connections, and the states that matter. */
const KEEPALIVE = '02'
const ESTABLISHED = '01'

/** Whether a keepalive timer runs, for each connection whose end at the proxy has this local or remote port. */
function timersOf(local: number | undefined, remote: number | undefined): boolean[] {
  return readFileSync(TABLE, 'utf8')
    .split('\n')
    .slice(1, -1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, from, to, state]) => state === ESTABLISHED && isPort(from, local) && isPort(to, remote))
    .map(([, , , , , timer]) => timer?.split(':')[0] === KEEPALIVE)
}

function isPort(address: string | undefined, port: number | undefined): boolean {
  return port === undefined || Number.parseInt(address?.split(':')[1] ?? '', 16) === port
}

test('both connections of a session that lasts get keepalive probes', {
  skip: !existsSync(TABLE) && `no ${TABLE}`,
}, async () => {
  await using scene = await startScene(undefined, { plaintext: true, limits: { tickMs: 20 } })
  const { client, peer } = await scene.meet()
  await peer.send('220 mail.example ESMTP\r\n')
  await client.readReply()
  await until('keepalive to the client', () => timersOf(scene.port, undefined).every(Boolean))
  await until('keepalive to the upstream', () => timersOf(undefined, scene.upstream.port).every(Boolean))
  assert.deepEqual([timersOf(scene.port, undefined), timersOf(undefined, scene.upstream.port)], [[true], [true]])
  await client.end()
  await peer.closed()
  await peer.end()
})
