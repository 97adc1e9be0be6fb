/** The log line at start if there are fewer file descriptors than sessions need. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fitDefault, type OpenFilesNote, openFilesLimit, openFilesNote } from '../../../proxy/server/fd-limit.ts'
import type { Config } from '../../../proxy/settings/config.ts'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { prlimitMissing } from '../../support/processes/file-descriptors.ts'
import { type LogLine, type ProxyProcess, startProxy } from '../../support/processes/proxy-process.ts'
import { unless } from '../../support/programs/programs.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units     
Max processes             63459                63459                processes 
Max open files            SOFT HARD files     
Max locked memory         8388608              8388608              bytes     
`

describe('the soft limit of open files', () => {
  const CASES: readonly (readonly [string, number | undefined])[] = [
    [LIMITS.replace('SOFT', '1024                ').replace('HARD', '524288              '), 1024],
    [LIMITS.replace('SOFT', '1073741816          ').replace('HARD', '1073741816          '), 1_073_741_816],
    [LIMITS.replace('SOFT', 'unlimited           ').replace('HARD', 'unlimited           '), Number.POSITIVE_INFINITY],
    [LIMITS, undefined],
    ['', undefined],
  ]
  for (const [text, limit] of CASES) {
    test(`${text.split('\n')[2]?.trim() ?? 'nothing'}: ${limit}`, () => assert.equal(openFilesLimit(text), limit))
  }
})

const DEFAULTS = { warmConnections: 8, workers: 1, maxSessions: 10_000 }
/** 20 dials with 6 more sockets each, 256 refused connections, 256 for the rest, and those of DEFAULTS. */
const OVERHEAD = 120 + 256 + 256 + 8 + 16

describe('PROXY_MAX_SESSIONS is set: each session needs two descriptors, in addition to the overhead', () => {
  /** Settings, a limit, the needed descriptors, and the sessions that would fit; neither if the limit is high enough. */
  const CASES: readonly (readonly [Partial<typeof DEFAULTS>, number, number?, number?])[] = [
    [{}, Number.POSITIVE_INFINITY],
    [{}, 20_000 + OVERHEAD],
    [{}, 19_999 + OVERHEAD, 20_000 + OVERHEAD, 9_999],
    [{}, 20_000, 20_656, 9_672],
    [{}, 1024, 20_656, 184],
    [{ maxSessions: 350 }, 1024, 1356, 184],
    [{ maxSessions: 184 }, 1024],
    [{ maxSessions: 1 }, 512, 658],
    [{ warmConnections: 0, workers: 64 }, 21_656],
    [{ warmConnections: 100, workers: 64 }, 21_656, 21_756, 9_950],
  ]
  for (const [sizes, limit, needed, fitting] of CASES) {
    test(`${JSON.stringify(sizes)} with ${limit}: ${needed ?? 'enough'}`, () => {
      const config = configured(sizes)
      const set = { PROXY_MAX_SESSIONS: `${config.maxSessions}` }
      assert.equal(fitDefault(config, set, limit), config, 'a set value stays')
      const note = openFilesNote(config, set, limit)
      assert.equal(note?.level, needed && 'warn')
      assert.deepEqual([note?.facts.needed, note?.facts.limit], needed ? [needed, limit] : [undefined, undefined])
      assert.equal(/PROXY_MAX_SESSIONS to (\d+)$/.exec(note?.facts.advice ?? '')?.[1], fitting && String(fitting))
      if (fitting) assert.equal(openFilesNote({ ...config, maxSessions: fitting }, set, limit), undefined)
    })
  }
})

describe('PROXY_MAX_SESSIONS is not set: 10,000 sessions, or as many as fit', () => {
  const CASES: readonly (readonly [number, number, OpenFilesNote['level']?])[] = [
    [Number.POSITIVE_INFINITY, 10_000],
    [1_048_576, 10_000],
    [20_000 + OVERHEAD, 10_000],
    [20_000, 9_672, 'info'],
    [1024, 184, 'info'],
    [OVERHEAD + 2, 1, 'info'],
    [OVERHEAD + 1, 10_000, 'warn'],
  ]
  for (const [limit, sessions, level] of CASES) {
    test(`${limit} open files: ${sessions} sessions`, () => {
      const config = fitDefault(configured({}), { PROXY_MAX_SESSIONS: '' }, limit)
      assert.equal(config.maxSessions, sessions)
      const note = openFilesNote(config, {}, limit)
      assert.deepEqual([note?.level, note?.facts.sessions], [level, level && sessions])
      if (level) assert.match(note?.facts.advice ?? '', /^raise the file descriptor limit to 20656 /)
    })
  }
})

function configured(sizes: Partial<typeof DEFAULTS>): Config {
  const parsed = parseConfig({})
  assert.ok('config' in parsed)
  return { ...parsed.config, ...DEFAULTS, ...sizes }
}

/** Lines about descriptors. */
function notesOf({ lines }: ProxyProcess): readonly LogLine[] {
  return lines.filter(({ msg }) => /file descriptor limit/.test(String(msg)))
}

const UPSTREAM = { PROXY_UPSTREAM: 'smtp://127.0.0.1:1' }

test('a proxy warns once, at its start', { skip: !existsSync('/proc/self/limits') && 'needs /proc' }, async () => {
  await using proxy = await startProxy({ ...UPSTREAM, PROXY_MAX_SESSIONS: '1000000' })
  const notes = notesOf(proxy)
  const limit = openFilesLimit(readFileSync(`/proc/${proxy.pid}/limits`, 'latin1'))
  if (limit === undefined || limit >= 2_000_000 + OVERHEAD) return assert.deepEqual(notes, [])
  assert.equal(notes.length, 1)
  const { level, msg, setting, sessions, needed, advice } = notes[0]!
  assert.deepEqual([level, msg], ['warn', 'file descriptor limit too low for PROXY_MAX_SESSIONS'])
  assert.deepEqual([setting, sessions, needed], ['PROXY_MAX_SESSIONS', 1_000_000, 2_000_000 + OVERHEAD])
  assert.equal(notes[0]!.limit, limit)
  assert.match(String(advice), /^raise the file descriptor limit to 2000656 /)
})

test('a proxy with enough descriptors logs nothing', async () => {
  await using proxy = await startProxy({ ...UPSTREAM, PROXY_MAX_SESSIONS: '100' })
  assert.deepEqual(notesOf(proxy), [])
})

for (const workers of ['1', '2']) {
  test(
    `with 800 open files and PROXY_WORKERS=${workers}, a proxy accepts the sessions that fit, and does not warn`,
    unless(prlimitMissing()),
    async () => {
      await using simulator = await startSimulator()
      await using proxy = await startProxy(
        {
          PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
          PROXY_UPSTREAM_CA_FILE: simulator.caFile,
          PROXY_WORKERS: workers,
          PROXY_WARM_CONNECTIONS: '0',
        },
        { within: ['prlimit', '--nofile=800:800'] },
      )
      const fit = Math.floor((800 - 120 - 256 - 256 - 16 * Number(workers)) / 2)
      assert.deepEqual(
        proxy.lines.filter(({ level }) => level === 'warn'),
        [],
      )
      const [{ level, sessions, needed } = {}] = notesOf(proxy)
      assert.deepEqual([level, sessions, needed], ['info', fit, 20_632 + 16 * Number(workers)])
      const clients = await Promise.all(Array.from({ length: fit + 5 }, () => connectClient({ port: proxy.port })))
      const greetings = await Promise.all(clients.map((client) => client.readReply()))
      for (const client of clients) client.destroy()
      assert.equal(greetings.filter((greeting) => greeting.startsWith('421 4.3.2 ')).length, 5)
    },
  )
}
