/** The status page of a real proxy in a real browser, compared with the ledger of the simulator. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { mail, send } from '../../simulator/client.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import type { ProxyProcess } from '../../support/processes/proxy-process.ts'
import { loggedIn, startBefore } from '../../support/processes/running-proxy.ts'
import { unless } from '../../support/programs/programs.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'
import { accessibilityViolations, browserMissing, openBrowser, openPage } from '../../support/status/browser.ts'

/** How long the page may take to show what happened: it gets news every two seconds. */
const LIVE_MS = 20_000

describe('The status page', unless(browserMissing()), () => {
  let browser: Browser
  let simulator: Simulator
  let proxy: ProxyProcess
  let url: string

  before(async () => {
    browser = await openBrowser()
  })
  beforeEach(async () => {
    simulator = await startSimulator()
    proxy = await startBefore(simulator, { PROXY_CLIENTS: 'billing=127.0.0.0/8' })
    url = `http://127.0.0.1:${proxy.adminPort}/`
  })
  afterEach(async () => {
    await proxy.stop()
    await simulator.close()
  })
  after(() => browser.close())

  /** Sends some messages, one after the other, in one session. */
  async function sendMessages(count: number, to = 'you@example.net'): Promise<void> {
    const [client] = await loggedIn(proxy, 1)
    for (let sent = 0; sent < count; sent += 1) await send(client!, mail({ to }))
    client!.destroy()
  }

  /** The number on the tile with this name. */
  async function tile(page: Page, name: string): Promise<number> {
    const value = await page.locator('.tiles > div', { hasText: name }).first().locator('b').innerText()
    return Number(value.replaceAll(',', ''))
  }

  for (const javaScriptEnabled of [true, false]) {
    test(`shows the counts of the ledger ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async () => {
      await sendMessages(5)
      const { page, complaints } = await openPage(browser, url, { javaScriptEnabled })
      const { accepted, refused } = simulator.ledger.summary().messages
      assert.equal(await tile(page, 'Accepted'), accepted)
      assert.equal(await tile(page, 'Failed'), refused)
      assert.equal(await page.locator('.word').innerText(), '✓ Yes')
      assert.match(await page.locator('#reason').innerText(), /^5 messages accepted/)
      assert.equal(await page.locator('table').first().locator('tbody tr').count(), 1)
      assert.deepEqual(complaints, [])
      await page.context().close()
    })
  }

  test('changes while it is open, and tells screen readers when the answer changes', async () => {
    const { page, complaints } = await openPage(browser, url)
    await page.getByText('Live', { exact: true }).waitFor({ timeout: LIVE_MS })
    assert.match(await page.locator('.word').innerText(), /No traffic/)
    await sendMessages(3)
    await page.locator('.answer.yes').waitFor({ timeout: LIVE_MS })
    await page.locator('.tiles b').first().getByText('3', { exact: true }).waitFor({ timeout: LIVE_MS })
    assert.match(await page.locator('[role=status]').innerText(), /^Yes/)
    assert.deepEqual(complaints, [])
    await page.context().close()
  })

  test('keeps what the reader opened and focused', async () => {
    await sendMessages(1)
    const { page } = await openPage(browser, url)
    await page.getByText('What the proxy changes').click()
    await page.locator('[role=region][aria-labelledby=apps]').focus()
    await sendMessages(2)
    await page.locator('.tiles b').first().getByText('3', { exact: true }).waitFor({ timeout: LIVE_MS })
    assert.ok((await page.locator('details').getAttribute('open')) !== null)
    assert.equal(await page.evaluate("document.activeElement?.getAttribute('aria-labelledby')"), 'apps')
    await page.context().close()
  })

  test('says No when AhaSend has disabled the account, and names the runbook', async () => {
    simulator.faults.set('account-disabled', {})
    await sendMessages(1)
    const { page, complaints } = await openPage(browser, url)
    assert.equal(await page.locator('.word').innerText(), '✕ No')
    assert.match(await page.locator('#reason').innerText(), /disabled the account \(521/)
    const row = page.locator('table.failures tbody tr').first()
    assert.match(await row.innerText(), /billing.*521.*Account owner.*AhaSendAccountDisabled/s)
    assert.deepEqual(complaints, [])
    await page.context().close()
  })

  test('says No when AhaSend cannot be reached, and explains the failed dial', async () => {
    await simulator.close()
    const [client] = await loggedIn(proxy, 1).catch(() => [undefined])
    client?.destroy()
    const { page } = await openPage(browser, url)
    assert.equal(await page.locator('.word').innerText(), '✕ No')
    assert.match(await page.locator('#reason').innerText(), /cannot be reached .* the connection was refused/)
    await page.context().close()
    simulator = await startSimulator()
  })

  test('shows the network of a client outside PROXY_ALLOW, and its address only if that is allowed', async () => {
    for (const [setting, shown] of [
      ['none', '127.0.0.0/24'],
      ['domain', '127.0.0.1'],
    ] as const) {
      const env = { PROXY_ALLOW: '192.0.2.0/24', PROXY_RECORD_ADDRESSES: setting }
      await using strict = await startBefore(simulator, env)
      const client = await connectClient({ port: strict.port })
      assert.match(await client.readReply(), /^421 4\.7\.0 /)
      await client.end()
      const { page } = await openPage(browser, `http://127.0.0.1:${strict.adminPort}/`)
      assert.match(await page.locator('table.refused tbody').innerText(), new RegExp(`^${shown}\\s.*PROXY_ALLOW$`, 's'))
      assert.match(
        await page.locator('#reason').innerText(),
        /refused 1 session of clients that are not in PROXY_ALLOW/,
      )
      await page.context().close()
    }
  })

  test('has no violation of the accessibility rules, in light and in dark', async () => {
    simulator.faults.set('account-disabled', {})
    await sendMessages(2)
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page } = await openPage(browser, url, { colorScheme, bypassCSP: true })
      assert.deepEqual(await accessibilityViolations(page), [], colorScheme)
      await page.context().close()
    }
  })

  test('fits a phone of 390 px: only tables scroll sideways', async () => {
    await sendMessages(2)
    const { page } = await openPage(browser, url, { viewport: { width: 390, height: 844 } })
    const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'))
    assert.ok(overflow <= 0, `${overflow} px too wide`)
    await page.context().close()
  })

  test('is dark where the reader prefers it', async () => {
    const background = async (colorScheme: 'light' | 'dark') => {
      const { page } = await openPage(browser, url, { colorScheme })
      const color = await page.evaluate('getComputedStyle(document.body).backgroundColor')
      await page.context().close()
      return color
    }
    assert.equal(await background('light'), 'rgb(246, 248, 250)')
    assert.equal(await background('dark'), 'rgb(13, 17, 23)')
  })
})
