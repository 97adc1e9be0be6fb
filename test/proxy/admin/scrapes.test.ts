/** The admin server records when its metrics were scraped, and waits for the next scrape. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admin, request } from '../../support/in-process/admin-rig.ts'

/** A time limit that no test reaches. */
const LONG_MS = 60_000

test('after a first scrape, the wait ends with the next scrape that begins during the wait', async (context) => {
  const pages = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
  let asked = 0
  const server = await admin(context, { page: async () => (asked === 0 ? '# first\n' : pages[asked - 1]!.promise) })
  assert.equal(server.nextScrape(LONG_MS), undefined, 'no one has scraped')
  await request(server, '/metrics')
  asked = 1
  const early = request(server, '/metrics')
  await request(server, '/livez')
  let seen = false
  const next = server.nextScrape(LONG_MS)!.then(() => {
    seen = true
  })
  pages[0]!.resolve('# counted before\n')
  await early
  await request(server, '/readyz')
  await request(server, '/metrics', { method: 'HEAD' })
  assert.equal(seen, false)
  asked = 2
  pages[1]!.resolve('# counted after\n')
  await request(server, '/metrics')
  await next
})

test('there is no wait without a time limit above 0, and a wait ends at its limit', async (context) => {
  const server = await admin(context)
  await request(server, '/metrics')
  await request(server, '/livez')
  assert.equal(server.nextScrape(0), undefined)
  assert.equal(server.nextScrape(-1), undefined)
  const next = server.nextScrape(1)
  assert.ok(next)
  await next
})

test('a scrape does not count if its page failed', async (context) => {
  const server = await admin(context, { page: () => Promise.reject(new Error('no page')) })
  assert.equal((await request(server, '/metrics')).status, 500)
  assert.equal(server.nextScrape(LONG_MS), undefined)
})
