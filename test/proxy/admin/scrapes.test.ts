/** The admin server knows when its metrics were scraped, and waits for the next time. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Admin, type AdminOptions, startAdmin } from '../../../proxy/admin/admin.ts'

/** A limit that is never reached. */
const LONG_MS = 60_000

async function start(context: TestContext, options: Partial<AdminOptions> = {}): Promise<Admin> {
  const started = await startAdmin({
    host: '127.0.0.1',
    port: 0,
    page: async () => '# a page\n',
    status: () => assert.fail('no one looks'),
    ready: () => true,
    ...options,
  })
  context.after(() => started.close())
  return started
}

/** Asks for a page and returns its status. */
async function ask({ port }: Admin, path: string, method = 'GET'): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method })
  await response.text()
  return response.status
}

test('the next scrape is waited for after a first one, and counts only if it begins after the wait', async (context) => {
  const pages = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
  let asked = 0
  const server = await start(context, { page: async () => (asked === 0 ? '# first\n' : pages[asked - 1]!.promise) })
  assert.equal(server.nextScrape(LONG_MS), undefined, 'no one has scraped')
  await ask(server, '/metrics')
  asked = 1
  const early = ask(server, '/metrics')
  await ask(server, '/livez')
  let seen = false
  const next = server.nextScrape(LONG_MS)!.then(() => {
    seen = true
  })
  pages[0]!.resolve('# counted before\n')
  await early
  await ask(server, '/readyz')
  await ask(server, '/metrics', 'HEAD')
  assert.equal(seen, false)
  asked = 2
  pages[1]!.resolve('# counted after\n')
  await ask(server, '/metrics')
  await next
})

test('the next scrape is not waited for when there is no time, and not longer than there is', async (context) => {
  const server = await start(context)
  await ask(server, '/metrics')
  await ask(server, '/livez')
  assert.equal(server.nextScrape(0), undefined)
  assert.equal(server.nextScrape(-1), undefined)
  const next = server.nextScrape(1)
  assert.ok(next)
  await next
})

test('a scrape does not count when its page could not be made', async (context) => {
  const server = await start(context, { page: () => Promise.reject(new Error('no page')) })
  assert.equal(await ask(server, '/metrics'), 500)
  assert.equal(server.nextScrape(LONG_MS), undefined)
})
