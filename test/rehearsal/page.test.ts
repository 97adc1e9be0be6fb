/** The control page in a real browser, compared with the ledger of the simulator. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { ask, loggedIn, mail, wholeSession } from '../simulator/client.ts'
import { numbersOf } from '../simulator/control/numbers.ts'
import { EXPECTED_ALERTS } from '../simulator/expected-alerts.ts'
import { ALL_WELL, REHEARSALS } from '../simulator/rehearsals.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { unless } from '../support/programs/programs.ts'
import { listenOnLoopback } from '../support/sockets/listen.ts'
import { accessibilityViolations, browserMissing, openBrowser, openPage } from '../support/status/browser.ts'

/** How long the page may take to show what happened: it asks every second. */
const LIVE_MS = 20_000

const ALERT = 'AhaSendAccountDisabled'

describe('The control page in a browser', unless(browserMissing()), () => {
  let browser: Browser
  let simulator: Simulator
  let alertmanager: Server
  let firing: readonly object[]
  let url: string

  before(async () => {
    browser = await openBrowser()
    alertmanager = createServer((_, response) => response.end(JSON.stringify(firing)))
  })
  beforeEach(async () => {
    firing = []
    if (!alertmanager.listening) await listenOnLoopback(alertmanager)
    const { port } = alertmanager.address() as { port: number }
    const links = {
      alertmanagerUrl: `http://127.0.0.1:${port}`,
      grafanaUrl: 'http://localhost:3001',
      statusUrl: 'http://127.0.0.1:9464/',
    }
    simulator = await startSimulator({ ledger: 'summary', links })
    url = `http://127.0.0.1:${simulator.httpPort}/`
  })
  afterEach(() => simulator.close())
  after(async () => {
    await browser.close()
    alertmanager.closeAllConnections()
    alertmanager.close()
  })

  function fire(state: 'active' | 'suppressed' = 'active'): void {
    const labels = { alertname: ALERT, severity: 'critical', smtp_client_name: 'billing' }
    firing = [{ labels, startsAt: new Date().toISOString(), status: { state } }]
  }

  /** The numbers on the tiles. */
  async function tiles(page: Page): Promise<Readonly<Record<string, number>>> {
    const found = await page.locator('[data-number]').all()
    const entries = found.map(async (tile) => {
      const value = await tile.locator('b').innerText()
      return [await tile.getAttribute('data-number'), Number(value.replaceAll(',', ''))] as const
    })
    return Object.fromEntries(await Promise.all(entries))
  }

  /** The refusals on the page: `521 to MAIL FROM × 7`. */
  function refusals(page: Page): Promise<string[]> {
    return page.locator('.refusals li').allInnerTexts()
  }

  /** A bit of everything: accepted, refused at three commands, in doubt, connections and logins refused. */
  async function mixedMail(): Promise<void> {
    const { faults } = simulator
    for (let sent = 0; sent < 3; sent += 1) await wholeSession(simulator)
    for (const [fault, times] of [
      ['521-at-mail', 4],
      ['553-at-rcpt', 1],
      ['451-at-end-of-message', 2],
      ['load-shedding', 3],
      ['535-at-auth', 2],
      ['close-at-end-of-message', 1],
    ] as const) {
      faults.set(fault, { times })
      for (let sent = 0; sent < times; sent += 1) await wholeSession(simulator).catch(() => undefined)
    }
  }

  for (const javaScriptEnabled of [true, false]) {
    test(`shows the numbers of the ledger ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async () => {
      await mixedMail()
      const { page, complaints } = await openPage(browser, url, { javaScriptEnabled })
      const { messages, inDoubt, replies } = simulator.ledger.summary()
      const at = (...commands: readonly string[]) =>
        replies.reduce(
          (sum, { command, code = 0, count }) => sum + (commands.includes(command) && code >= 400 ? count : 0),
          0,
        )
      assert.deepEqual(await tiles(page), {
        accepted: messages.accepted,
        refused: at('MAIL', 'RCPT', 'DATA', 'END-OF-MESSAGE'),
        inDoubt,
        connectionsRefused: at('CONNECT'),
        loginsRefused: at('AUTH'),
      })
      assert.deepEqual(
        { accepted: messages.accepted, inDoubt, connections: at('CONNECT'), logins: at('AUTH') },
        { accepted: 3, inDoubt: 1, connections: 3, logins: 2 },
      )
      assert.deepEqual(await refusals(page), [
        '421 in place of the greeting × 3',
        '535 to AUTH × 2',
        '521 to MAIL FROM × 4',
        // after the refused logins
        '530 to MAIL FROM × 2',
        '553 to RCPT TO × 1',
        '451 to the end of the message × 2',
      ])
      assert.deepEqual(complaints, [])
      await page.context().close()
    })
  }

  test('counts no follow-up 503 as a refusal', async () => {
    simulator.faults.set('521-at-mail')
    const client = await loggedIn(simulator)
    for (const line of mail().slice(0, 3)) await ask(client, line)
    client.destroy()
    const summary = simulator.ledger.summary()
    assert.ok(summary.replies.some(({ code }) => code === 503))
    assert.deepEqual(numbersOf(summary).refusals, [{ command: 'MAIL', code: 521, count: 1 }])
  })

  for (const javaScriptEnabled of [true, false]) {
    test(`marks the active incident, and ends it, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async () => {
      const { page, complaints } = await openPage(browser, url, { javaScriptEnabled })
      const pressed = page.locator('button[aria-pressed=true]')
      assert.equal(await page.locator('.word').innerText(), '✓ Normal')
      assert.equal(await pressed.count(), 0)
      await page.getByRole('button', { name: '521 account disabled' }).click()
      assert.equal(await page.locator('.word').innerText(), '✕ 521 account disabled')
      assert.deepEqual(await pressed.allInnerTexts(), ['521 account disabled'])
      assert.match(await page.locator('#state').innerText(), /Active since \d\d:\d\d:\d\d UTC, for \d+ s/)
      assert.match(await page.locator('[role=status]').innerText(), /^521 account disabled\. No alert fires\.$/)
      assert.equal(await wholeSession(simulator), '521')
      await page.getByRole('button', { name: 'Back to normal' }).click()
      assert.equal(await page.locator('.word').innerText(), '✓ Normal')
      assert.equal(await pressed.count(), 0)
      assert.match(await page.locator('#state').innerText(), /“521 account disabled” ended at/)
      assert.equal(await wholeSession(simulator), '250 250 354 250')
      assert.deepEqual(complaints, [])
      await page.context().close()
    })
  }

  test('changes while it is open: refusals, the alert, and its end', async () => {
    const { page, complaints } = await openPage(browser, url)
    const live = (text: RegExp | string) => page.getByText(text).first().waitFor({ timeout: LIVE_MS })
    await live('Live')
    await fetch(`${url}rehearsals/account-disabled`, { method: 'POST' })
    await live(/Expected between \d\d:\d\d:\d\d UTC and/)
    assert.equal(await page.locator('button[aria-pressed=true]').innerText(), '521 account disabled')
    await wholeSession(simulator)
    await live('First refusal: 521 to MAIL FROM.')
    fire()
    await live(/Firing since .* after the start\. Apps: billing\./)
    await live(`${ALERT} (critical) fires, `)
    assert.match(await page.locator('[role=status]').innerText(), /Firing: AhaSendAccountDisabled\.$/)
    await page.getByRole('button', { name: 'Back to normal' }).click()
    await live(/Expected to resolve between/)
    firing = []
    await live(/Resolved at \d\d:\d\d:\d\d UTC/)
    const timeline = await page.locator('.timeline li span').allInnerTexts()
    assert.deepEqual(
      timeline.map((text) => text.replace(/\d.*after the start/, 'N after the start').replace(/after \d.*/, 'after N')),
      [
        `${ALERT} (critical) resolved.`,
        'Back to normal, after N',
        `${ALERT} (critical) fires, N after the start.`,
        'First refusal: N',
        '“521 account disabled” started.',
      ].map((text) => text.replace('First refusal: N', 'First refusal: 521 to MAIL FROM.')),
    )
    assert.deepEqual(complaints, [])
    await page.context().close()
  })

  test('says when a more specific alert keeps an alert silent', async () => {
    await fetch(`${url}rehearsals/account-disabled`, { method: 'POST' })
    fire('suppressed')
    const { page } = await openPage(browser, url)
    await page.getByText('Alertmanager notifies no one').waitFor({ timeout: LIVE_MS })
    await page.context().close()
  })

  test('an incident that ends by itself is over', async () => {
    const { page } = await openPage(browser, url)
    await page.getByRole('button', { name: 'A single 521' }).click()
    await page.locator('button[aria-pressed=true]').waitFor()
    assert.equal(await wholeSession(simulator), '521')
    await page.getByText('“A single 521” ended at').waitFor({ timeout: LIVE_MS })
    assert.equal(await page.locator('button[aria-pressed=true]').count(), 0)
    await page.context().close()
  })

  test('says that it knows no alerts without an Alertmanager, and when Alertmanager does not answer', async () => {
    await using alone = await startSimulator()
    const { page } = await openPage(browser, `http://127.0.0.1:${alone.httpPort}/`)
    await page.getByText('No Alertmanager is configured').waitFor()
    assert.equal(await page.locator('nav a').count(), 0)
    await page.context().close()
    alertmanager.closeAllConnections()
    await new Promise((closed) => alertmanager.close(closed))
    const { page: other } = await openPage(browser, url)
    await other.getByText(/cannot be reached \(.*ECONNREFUSED.*\), so/).waitFor({ timeout: LIVE_MS })
    assert.equal(await other.locator('nav a').count(), 2)
    await other.context().close()
  })

  test('each incident says what apps see, and names each alert with its severity, its times and its runbook', async () => {
    const { page } = await openPage(browser, url)
    for (const { id, meaning, apps } of REHEARSALS.filter((rehearsal) => rehearsal.id !== ALL_WELL)) {
      const card = page.locator('.incidents li', { has: page.locator(`[data-incident=${id}]`) })
      const text = await card.innerText()
      for (const part of [meaning, apps]) assert.ok(text.includes(part), `${id}: ${part}`)
      for (const { name, severity, fires } of EXPECTED_ALERTS[id] ?? []) {
        const soon = `${name} ${severity}\\s+fires .*, (resolves .* after the end|until \\w+ fires)`
        const late = `${name} ${severity}.* after about 60 min, even if the incident is over`
        assert.match(text, new RegExp(fires[0] < 3600 ? soon : late))
        const link = await card.getByRole('link', { name }).first().getAttribute('href')
        assert.match(link ?? '', new RegExp(`/dashboards/runbooks/${name}\\.md$`))
      }
    }
    await page.context().close()
  })

  test('works with the keyboard', async () => {
    const { page } = await openPage(browser, url)
    const focused = () => page.evaluate('document.activeElement?.textContent') as Promise<string>
    for (let tabs = 0; (await focused()) !== '451 temporary errors' && tabs < 60; tabs += 1)
      await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.locator('button[aria-pressed=true]').waitFor()
    assert.deepEqual(
      simulator.faults.list().map(({ name }) => name),
      ['451-at-end-of-message'],
    )
    await page.context().close()
  })

  test('has no violation of the accessibility rules, in light and in dark, normal and during an incident', async () => {
    for (const id of [ALL_WELL, 'account-disabled']) {
      await fetch(`${url}rehearsals/${id}`, { method: 'POST' })
      if (id !== ALL_WELL) fire()
      await wholeSession(simulator)
      await simulator.incidents.look()
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page } = await openPage(browser, url, { colorScheme, bypassCSP: true })
        assert.deepEqual(await accessibilityViolations(page), [], `${colorScheme} ${id}`)
        await page.context().close()
      }
    }
  })

  test('fits a phone of 390 px', async () => {
    await fetch(`${url}rehearsals/account-disabled`, { method: 'POST' })
    fire()
    await simulator.incidents.look()
    const { page } = await openPage(browser, url, { viewport: { width: 390, height: 844 } })
    const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'))
    assert.ok(overflow <= 0, `${overflow} px too wide`)
    await page.context().close()
  })

  test('has the colors of the status page, also where the reader prefers dark', async () => {
    const colors = async (colorScheme: 'light' | 'dark') => {
      const { page } = await openPage(browser, url, { colorScheme })
      const of = (selector: string, property: string) =>
        page.evaluate(`getComputedStyle(document.querySelector('${selector}')).${property}`)
      const found = [
        await of('body', 'backgroundColor'),
        await of('.answer', 'backgroundColor'),
        await of('.word', 'color'),
      ]
      await page.context().close()
      return found
    }
    assert.deepEqual(await colors('light'), ['rgb(246, 248, 250)', 'rgb(255, 255, 255)', 'rgb(26, 127, 55)'])
    assert.deepEqual(await colors('dark'), ['rgb(13, 17, 23)', 'rgb(22, 27, 34)', 'rgb(63, 185, 80)'])
  })
})
