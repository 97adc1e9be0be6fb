/** What is said at start when there are fewer file descriptors than sessions need. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fewDescriptors, openFilesLimit } from '../proxy/open-files.ts'
import { startProxy } from './support/proxy-process.ts'

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

describe('two descriptors for each session, and some for the rest', () => {
  const one = { warmConnections: 8, workers: 1 }
  /** Settings, a limit, what is needed, and the sessions that would fit; nothing when it is enough. */
  const CASES: readonly (readonly [Parameters<typeof fewDescriptors>[0], number, number?, number?])[] = [
    [{ ...one, maxSessions: 10_000 }, Number.POSITIVE_INFINITY],
    [{ ...one, maxSessions: 10_000 }, 20_280],
    [{ ...one, maxSessions: 10_000 }, 20_279, 20_280, 9_999],
    [{ ...one, maxSessions: 10_000 }, 20_000, 20_280, 9_860],
    [{ ...one, maxSessions: 10_000 }, 1024, 20_280, 372],
    [{ ...one, maxSessions: 372 }, 1024],
    [{ ...one, maxSessions: 1 }, 256, 282],
    [{ maxSessions: 10_000, warmConnections: 0, workers: 64 }, 21_280],
    [{ maxSessions: 10_000, warmConnections: 100, workers: 64 }, 21_280, 21_380, 9_950],
  ]
  for (const [config, limit, needed, fitting] of CASES) {
    test(`${JSON.stringify(config)} with ${limit}: ${needed ?? 'enough'}`, () => {
      const few = fewDescriptors(config, limit)
      assert.deepEqual([few?.needed, few?.limit], needed === undefined ? [undefined, undefined] : [needed, limit])
      assert.deepEqual(
        /PROXY_MAX_SESSIONS to (\d+)$/.exec(few?.advice ?? '')?.[1],
        fitting === undefined ? undefined : String(fitting),
      )
      if (fitting !== undefined) assert.equal(fewDescriptors({ ...config, maxSessions: fitting }, limit), undefined)
    })
  }
})

test('a proxy says it once, at its start', { skip: !existsSync('/proc/self/limits') && 'needs /proc' }, async () => {
  await using proxy = await startProxy({ PROXY_UPSTREAM: 'smtp://127.0.0.1:1', PROXY_MAX_SESSIONS: '1000000' })
  const said = proxy.lines.filter(({ msg }) => msg === 'few file descriptors')
  const limit = openFilesLimit(readFileSync(`/proc/${proxy.pid}/limits`, 'latin1'))
  if (limit === undefined || limit >= 2_000_280) return assert.deepEqual(said, [])
  assert.equal(said.length, 1)
  const { level, setting, sessions, needed, advice } = said[0]!
  assert.deepEqual([level, setting, sessions, needed], ['warn', 'PROXY_MAX_SESSIONS', 1_000_000, 2_000_280])
  assert.equal(said[0]!.limit, limit)
  assert.match(String(advice), /^raise the limit of open files to 2000280 /)
})

test('a proxy with enough says nothing', async () => {
  await using proxy = await startProxy({ PROXY_UPSTREAM: 'smtp://127.0.0.1:1', PROXY_MAX_SESSIONS: '100' })
  assert.ok(!proxy.lines.some(({ msg }) => msg === 'few file descriptors'))
})
