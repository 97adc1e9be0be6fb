import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_SERIES } from '../../../otel/instruments/instruments.ts'
import { replyLabels } from '../../support/telemetry/reply-labels.ts'
import { scraped } from '../../support/telemetry/scrape.ts'
import { oneMail, reply, SessionStory } from '../../support/telemetry/session-events.ts'

test('cut connections are reported as the proxy counts them', async () => {
  const { metrics, series } = scraped()
  const cuts = () => series('smtp_proxy_refused_cut_total', { zeros: true })
  const counted = (time: number, bytes: number, limit: number) => ({
    '{smtp_refused_cut="time"}': time,
    '{smtp_refused_cut="bytes"}': bytes,
    '{smtp_refused_cut="limit"}': limit,
  })
  assert.deepEqual(await cuts(), counted(0, 0, 0))
  metrics.observeRefusedCuts(() => ({ time: 3, bytes: 2, limit: 1 }))
  assert.deepEqual(await cuts(), counted(3, 2, 1))
})

test('lost replies and failures of observers are counted', async () => {
  const { metrics, series } = scraped()
  new SessionStory()
    .loses('incomplete', 'MAIL')
    .loses('undelivered', 'END-OF-MESSAGE')
    .loses('undelivered', 'RCPT')
    .loses('after_fin', 'END-OF-MESSAGE')
    .tell(metrics)
  metrics.observerFailed(new Error('broken'))
  assert.deepEqual(await series('smtp_proxy_replies_lost_total'), {
    '{smtp_reply_loss="incomplete"}': 1,
    '{smtp_reply_loss="undelivered"}': 2,
    '{smtp_reply_loss="after_fin"}': 1,
  })
  assert.deepEqual(await series('smtp_proxy_observer_failures_total'), { '': 1 })
})

test('the series that alerts read exist from the start, for each upstream and client', async () => {
  const { series } = scraped({ servers: ['a.example', 'b.example'], clients: ['billing'] })
  const zeros = { zeros: true }
  const replies = await series('smtp_proxy_replies_total', zeros)
  const transactions = await series('smtp_proxy_transactions_total', zeros)
  const dials = await series('smtp_proxy_upstream_dials_total', zeros)
  const disabled = reply(521, { cause: 'account_disabled' })
  for (const server of ['a.example', 'b.example']) {
    for (const client of ['other', 'billing']) {
      const who = `server_address="${server}",smtp_client_name="${client}"`
      for (const command of ['CONNECT', 'AUTH', 'MAIL', 'RCPT', 'DATA', 'END-OF-MESSAGE'] as const)
        assert.equal(replies[replyLabels(command, disabled, who)], 0)
      assert.equal(replies[replyLabels('CONNECT', reply(421, { cause: 'load_shedding' }), who)], 0)
      for (const command of ['MAIL', 'RCPT', 'DATA', 'END-OF-MESSAGE'] as const)
        assert.equal(replies[replyLabels(command, reply(421, { cause: 'internal_error' }), who)], 0)
      assert.equal(replies[replyLabels('UNSOLICITED', reply(421, { cause: 'idle_timeout' }), who)], 0)
      assert.equal(replies[replyLabels('AUTH', reply(235), who)], 0)
      for (const outcome of ['accepted', 'aborted', 'tempfail', 'permfail', 'in_doubt'])
        assert.ok(
          Object.keys(transactions).some((key) => key.includes(`"${outcome}"`) && key.includes(who)),
          outcome,
        )
      assert.equal(transactions[`{smtp_transaction_outcome="in_doubt",error_type="upstream_lost",${who}}`], 0)
    }
    assert.equal(dials[`{tls_resumed="false",server_address="${server}"}`], 0)
    assert.equal(dials[`{error_type="tls_untrusted",tls_resumed="false",server_address="${server}"}`], 0)
  }
  assert.deepEqual(
    Object.values(replies).filter((value) => value !== 0),
    [],
  )
  assert.equal(Object.keys(await series('smtp_proxy_recipients_total', zeros)).length, 2 * 2 * 3)
  assert.deepEqual(await series('smtp_proxy_observer_failures_total', zeros), { '': 0 })
})

test('a second scrape returns the same page', async () => {
  const { metrics, page } = scraped()
  oneMail().tell(metrics)
  const first = await page()
  assert.equal(await page(), first)
})

test('an upstream that sends every possible code reaches the limit, and all its replies are still counted', async () => {
  const { metrics, page, series } = scraped()
  const observer = new SessionStory().tell(metrics)
  const commands = ['MAIL', 'RCPT', 'NOOP', 'RSET', 'VRFY', 'HELO', 'EHLO'] as const
  for (const command of commands)
    for (let code = 200; code < 600; code++)
      for (const event of new SessionStory().exchange(command, reply(code)).events) observer(event)
  const counted = await series('smtp_proxy_replies_total', { zeros: true })
  assert.equal(Object.keys(counted).length, MAX_SERIES + 1)
  const sum = Object.values(counted).reduce((total, value) => total + value, 0)
  assert.equal(sum, commands.length * 400)
  assert.match(await page(), /^smtp_proxy_replies_total\{otel_metric_overflow="true"\} [1-9]/m)
})

test('nothing that identifies a client or a session is on the page (PRV-14)', async () => {
  const { metrics, page } = scraped()
  const opening = { sessionId: 'canary-session', clientAddress: '203.0.113.99', clientPort: 61234 }
  oneMail(opening).tell(metrics)
  assert.doesNotMatch(await page(), /canary|203\.0\.113|61234/)
})
