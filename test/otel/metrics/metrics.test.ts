import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cells, MAX_SERIES } from '../../../otel/metrics/instruments.ts'
import type { CommandName } from '../../../proxy/events/closed-sets.ts'
import type { ReplyFacts } from '../../../proxy/events/reply.ts'
import { scraped } from '../../support/scrape.ts'
import { dial, oneMail, reply, SessionStory } from '../../support/session-events.ts'

const peer = 'server_address="send.example",smtp_client_name="billing"'

function replyLabels(command: CommandName, facts: ReplyFacts, rest = peer): string {
  return (
    `{smtp_command="${command}",smtp_reply_code="${facts.code}",smtp_reply_cause="${facts.cause}",` +
    `smtp_reply_origin="${facts.origin}",${rest}}`
  )
}

test('one mail: each reply is counted once, under its command', async () => {
  const { metrics, series } = scraped()
  oneMail().tell(metrics)
  assert.deepEqual(await series('smtp_proxy_replies_total'), {
    [replyLabels('CONNECT', reply(220))]: 1,
    [replyLabels('EHLO', reply(250))]: 1,
    [replyLabels('AUTH', reply(235))]: 1,
    [replyLabels('MAIL', reply(250))]: 1,
    [replyLabels('RCPT', reply(250))]: 1,
    [replyLabels('DATA', reply(354))]: 1,
    [replyLabels('END-OF-MESSAGE', reply(250))]: 1,
    [replyLabels('QUIT', reply(221))]: 1,
  })
})

test('one mail: one transaction, one recipient, one size', async () => {
  const { metrics, series } = scraped()
  oneMail({}, 2000).tell(metrics)
  const accepted = 'smtp_transaction_outcome="accepted"'
  assert.deepEqual(await series('smtp_proxy_transactions_total'), { [`{${accepted},${peer}}`]: 1 })
  assert.deepEqual(await series('smtp_proxy_recipients_total'), { [`{smtp_recipient_verdict="accepted",${peer}}`]: 1 })
  assert.deepEqual(await series('smtp_proxy_message_size_bytes_sum'), {
    [`{${accepted},smtp_client_name="billing"}`]: 2000,
  })
  assert.deepEqual(await series('smtp_proxy_message_recipients_sum'), { [`{${accepted}}`]: 1 })
})

test('times are told in seconds, in the bucket that they belong to (MET-05)', async () => {
  const { metrics, series } = scraped()
  new SessionStory()
    .greeted(reply(220), 120)
    .mail(reply(250), 40)
    .rcpt(reply(250), 10)
    .reset()
    .closed('quit')
    .tell(metrics)
  const server = 'server_address="send.example"'
  const counts = await series('smtp_proxy_command_duration_seconds_bucket', { zeros: true })
  assert.equal(counts[`{smtp_command="CONNECT",${server},le="0.1"}`], 0)
  assert.equal(counts[`{smtp_command="CONNECT",${server},le="0.25"}`], 1)
  assert.equal(counts[`{smtp_command="MAIL",${server},le="0.025"}`], 0)
  assert.equal(counts[`{smtp_command="MAIL",${server},le="0.05"}`], 1)
  assert.deepEqual(await series('smtp_proxy_command_duration_seconds_sum'), {
    [`{smtp_command="CONNECT",${server}}`]: 0.12,
    [`{smtp_command="MAIL",${server}}`]: 0.04,
    [`{smtp_command="RCPT",${server}}`]: 0.01,
  })
  assert.deepEqual(await series('smtp_proxy_transaction_duration_seconds_sum'), {
    [`{smtp_transaction_outcome="aborted",${server}}`]: 0.05,
  })
  assert.deepEqual(await series('smtp_proxy_session_duration_seconds_sum'), {
    [`{smtp_session_close_reason="quit",${peer}}`]: 0.17,
  })
})

test('a clock that stands still or jumps back gives 0, not nothing', async () => {
  const { metrics, series } = scraped()
  new SessionStory().exchange('NOOP', reply(250), -5).closed('quit').tell(metrics)
  const counts = await series('smtp_proxy_command_duration_seconds_count')
  assert.deepEqual(counts, { '{smtp_command="NOOP",server_address="send.example"}': 1 })
})

test('what nobody asked for has no duration', async () => {
  const { metrics, series } = scraped()
  new SessionStory()
    .exchange('UNSOLICITED', reply(421, { cause: 'idle_timeout' }), 0)
    .opaque('reply_mismatch')
    .exchange('OTHER', reply(250), 0)
    .tell(metrics)
  assert.deepEqual(await series('smtp_proxy_command_duration_seconds_count'), {})
  assert.deepEqual(await series('smtp_proxy_replies_total'), {
    [replyLabels('UNSOLICITED', reply(421, { cause: 'idle_timeout' }))]: 1,
    [replyLabels('OTHER', reply(250))]: 1,
  })
  assert.deepEqual(await series('smtp_proxy_session_opaque_total'), { '{smtp_opaque_reason="reply_mismatch"}': 1 })
})

test('three recipients, one refused: one mail, two accepted, one not', async () => {
  const { metrics, series } = scraped()
  const refused = reply(553, { cause: 'recipient_rejected' })
  new SessionStory().mail().rcpt().rcpt(refused).rcpt().data().accepted(900).tell(metrics)
  assert.deepEqual(await series('smtp_proxy_transactions_total'), {
    [`{smtp_transaction_outcome="accepted",${peer}}`]: 1,
  })
  assert.deepEqual(await series('smtp_proxy_recipients_total'), {
    [`{smtp_recipient_verdict="accepted",${peer}}`]: 2,
    [`{smtp_recipient_verdict="permfail",${peer}}`]: 1,
  })
  assert.deepEqual(await series('smtp_proxy_message_recipients_sum'), { '{smtp_transaction_outcome="accepted"}': 3 })
})

test('a mail has an error type when it failed, and a size when its body began', async () => {
  const { metrics, series } = scraped()
  const disabled = reply(521, { cause: 'account_disabled' })
  new SessionStory()
    .mail()
    .rcpt()
    .data()
    .exchange('END-OF-MESSAGE', disabled)
    .refused('END-OF-MESSAGE', disabled, 700)
    .mail(reply(451))
    .refused('MAIL', reply(451))
    .mail()
    .reset()
    .mail()
    .rcpt()
    .data()
    .inDoubt('upstream_lost', 5000)
    .tell(metrics)
  assert.deepEqual(await series('smtp_proxy_transactions_total'), {
    [`{smtp_transaction_outcome="aborted",${peer}}`]: 1,
    [`{smtp_transaction_outcome="tempfail",error_type="451",${peer}}`]: 1,
    [`{smtp_transaction_outcome="permfail",error_type="521",${peer}}`]: 1,
    [`{smtp_transaction_outcome="in_doubt",error_type="upstream_lost",${peer}}`]: 1,
  })
  assert.deepEqual(await series('smtp_proxy_message_size_bytes_sum', { zeros: true }), {
    '{smtp_transaction_outcome="permfail",smtp_client_name="billing"}': 700,
    '{smtp_transaction_outcome="in_doubt",smtp_client_name="billing"}': 5000,
  })
  assert.deepEqual(await series('smtp_proxy_message_recipients_count'), {
    '{smtp_transaction_outcome="permfail"}': 1,
    '{smtp_transaction_outcome="tempfail"}': 1,
    '{smtp_transaction_outcome="aborted"}': 1,
    '{smtp_transaction_outcome="in_doubt"}': 1,
  })
})

for (const code of [0, 100, 199, 600, 999, 250.5, Number.NaN]) {
  test(`the code ${code} is no label of its own`, async () => {
    const { metrics, series } = scraped()
    new SessionStory().exchange('NOOP', reply(code)).mail().refused('MAIL', reply(code)).tell(metrics)
    assert.equal((await series('smtp_proxy_replies_total'))[replyLabels('NOOP', reply(0))], 1)
    const [[labels] = []] = Object.entries(await series('smtp_proxy_transactions_total'))
    assert.match(labels ?? '', /error_type="0"/)
  })
}

test("the proxy's own replies are told apart (MET-02)", async () => {
  const { metrics, series } = scraped()
  const word = reply(421, { origin: 'proxy', cause: 'upstream_unreachable' })
  new SessionStory().greeted(word).closed('dial_failed').tell(metrics)
  assert.deepEqual(await series('smtp_proxy_replies_total'), { [replyLabels('CONNECT', word)]: 1 })
})

test('the same words are told apart by who said them', async () => {
  const { metrics, series } = scraped()
  const upstream = reply(421, { cause: 'idle_timeout' })
  const proxy = reply(421, { cause: 'idle_timeout', origin: 'proxy' })
  new SessionStory().exchange('NOOP', upstream).exchange('NOOP', proxy).exchange('NOOP', proxy).tell(metrics)
  assert.deepEqual(await series('smtp_proxy_replies_total'), {
    [replyLabels('NOOP', upstream)]: 1,
    [replyLabels('NOOP', proxy)]: 2,
  })
})

test('a dial that fails does not make a session count for its upstream', async () => {
  const { metrics, series } = scraped({ servers: ['send.example', 'send-us.example'] })
  const word = reply(421, { origin: 'proxy', cause: 'upstream_unreachable' })
  new SessionStory()
    .dials({ error: 'connect_refused' })
    .dials({ error: 'connect_refused', serverAddress: 'send-us.example' })
    .greeted(word)
    .closed('dial_failed')
    .tell(metrics)
  assert.deepEqual(await series('smtp_proxy_replies_total'), { [replyLabels('CONNECT', word)]: 1 })
})

test('a session is active from its first event to its close, and closes once (MET-03)', async () => {
  const { metrics, series } = scraped()
  const billing = new SessionStory().greeted().tell(metrics)
  const web = new SessionStory({ clientName: 'other' }).tell(metrics)
  new SessionStory().tell(metrics)
  const active = () => series('smtp_proxy_session_active', { zeros: true })
  assert.deepEqual(await active(), { '{smtp_client_name="other"}': 1, '{smtp_client_name="billing"}': 2 })
  const [close] = new SessionStory().wait(1000).closed('quit').events
  for (const observer of [billing, billing, web]) observer(close!)
  assert.deepEqual(await active(), { '{smtp_client_name="other"}': 0, '{smtp_client_name="billing"}': 1 })
})

test('a session counts for the preferred upstream until a dial reaches another', async () => {
  const { metrics, series } = scraped({ servers: ['send.example', 'send-us.example'] })
  new SessionStory()
    .dials({ error: 'connect_refused', phases: { connect: 1, total: 1 } })
    .dials({ serverAddress: 'send-us.example', resumed: true })
    .greeted()
    .mail()
    .reset()
    .closed('quit')
    .tell(metrics)
  const other = 'server_address="send-us.example",smtp_client_name="billing"'
  assert.deepEqual(await series('smtp_proxy_replies_total'), {
    [replyLabels('CONNECT', reply(220), other)]: 1,
    [replyLabels('MAIL', reply(250), other)]: 1,
  })
  assert.deepEqual(await series('smtp_proxy_session_messages_count'), { '{server_address="send-us.example"}': 1 })
  assert.deepEqual(await series('smtp_proxy_upstream_dials_total'), {
    '{error_type="connect_refused",tls_resumed="false",server_address="send.example"}': 1,
    '{tls_resumed="true",server_address="send-us.example"}': 1,
  })
})

test('a session that gets a leg dialled ahead counts for the upstream that it leads to; the dial is not counted again', async () => {
  const { metrics, series } = scraped({ servers: ['send.example', 'send-us.example'] })
  const observe = new SessionStory().tell(metrics)
  observe({ type: 'handover', at: 1_000_000, dial: dial({ serverAddress: 'send-us.example' }), preconnected: true })
  observe({ type: 'greeting', at: 1_000_000, end: 1_000_001, reply: reply(220) })
  const other = 'server_address="send-us.example",smtp_client_name="billing"'
  assert.deepEqual(await series('smtp_proxy_replies_total'), { [replyLabels('CONNECT', reply(220), other)]: 1 })
  assert.deepEqual(await series('smtp_proxy_upstream_dials_total'), {})
})

test('a dial ahead of need counts like a dial in a session', async () => {
  const ahead = scraped()
  ahead.metrics.dial(dial({ certificateNotAfter: 1_900_000_000 }))
  const within = scraped()
  new SessionStory().dials({ certificateNotAfter: 1_900_000_000 }).tell(within.metrics)
  for (const name of ['dials_total', 'dial_duration_seconds_sum'].map((end) => `smtp_proxy_upstream_${end}`)) {
    const counted = await ahead.series(name)
    assert.notDeepEqual(counted, {})
    assert.deepEqual(await within.series(name), counted)
  }
})

test('each phase of a dial that was entered is measured, and always the total', async () => {
  const { metrics, series } = scraped()
  metrics.dial(dial({ error: 'connect_timeout', at: 0, end: 10_000, phases: { resolve: 5, connect: 9995 } }))
  assert.deepEqual(await series('smtp_proxy_upstream_dial_duration_seconds_sum'), {
    '{smtp_dial_phase="resolve",server_address="send.example"}': 0.005,
    '{smtp_dial_phase="connect",server_address="send.example"}': 9.995,
    '{smtp_dial_phase="total",server_address="send.example"}': 10,
  })
})

test('bytes move while a session is open, and never go back', async () => {
  const { metrics, series } = scraped()
  const bytes = () => series('smtp_proxy_io_bytes_total', { zeros: true })
  const told = (transmit: number, receive: number) => ({
    '{network_io_direction="transmit"}': transmit,
    '{network_io_direction="receive"}': receive,
  })
  assert.deepEqual(await bytes(), told(0, 0))
  let live = { transmit: 500, receive: 70 }
  metrics.observeLiveBytes(() => live)
  assert.deepEqual(await bytes(), told(500, 70))
  live = { transmit: 0, receive: 0 }
  assert.deepEqual(await bytes(), told(500, 70), 'a session that vanished without a word')
  new SessionStory().closed('quit', 600, 80).tell(metrics)
  live = { transmit: 10, receive: 0 }
  assert.deepEqual(await bytes(), told(610, 80))
})

test('refused connections that were cut are counted as the proxy counts them', async () => {
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

test('what alerts wait for is there before it happens, for each upstream and client', async () => {
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

test('a second scrape tells the same', async () => {
  const { metrics, page } = scraped()
  oneMail().tell(metrics)
  const first = await page()
  assert.equal(await page(), first)
})

test('an upstream that answers with every code there is fills the cap, and is still counted', async () => {
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

test('above its limit, a counter adds what is new to one series', () => {
  const cells = new Cells<{ readonly name: string }>(2)
  for (const name of ['a', 'b', 'c', 'd', 'a']) cells.at({ name }).value += 1
  const told: unknown[] = []
  cells.observe({ observe: (value, labels) => told.push([value, labels]) })
  assert.deepEqual(told, [
    [2, { name: 'a' }],
    [1, { name: 'b' }],
    [2, { 'otel.metric.overflow': true }],
  ])
})

test('nothing that identifies a client or a session is on the page (PRV-14)', async () => {
  const { metrics, page } = scraped()
  const opening = { sessionId: 'canary-session', clientAddress: '203.0.113.99', clientPort: 61234 }
  oneMail(opening).tell(metrics)
  assert.doesNotMatch(await page(), /canary|203\.0\.113|61234/)
})
