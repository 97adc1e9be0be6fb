import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PEER, replyLabels } from '../../support/telemetry/reply-labels.ts'
import { scraped } from '../../support/telemetry/scrape.ts'
import { dial, oneMail, reply, SessionStory } from '../../support/telemetry/session-events.ts'

test('one message: each reply is counted once, under its command', async () => {
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

test('one message: one transaction, one recipient, one size', async () => {
  const { metrics, series } = scraped()
  oneMail({}, 2000).tell(metrics)
  const accepted = 'smtp_transaction_outcome="accepted"'
  assert.deepEqual(await series('smtp_proxy_transactions_total'), { [`{${accepted},${PEER}}`]: 1 })
  assert.deepEqual(await series('smtp_proxy_recipients_total'), { [`{smtp_recipient_verdict="accepted",${PEER}}`]: 1 })
  assert.deepEqual(await series('smtp_proxy_message_size_bytes_sum'), {
    [`{${accepted},smtp_client_name="billing"}`]: 2000,
  })
  assert.deepEqual(await series('smtp_proxy_message_recipients_sum'), { [`{${accepted}}`]: 1 })
})

test('durations are in seconds, each in its bucket (MET-05)', async () => {
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
    [`{smtp_session_close_reason="quit",${PEER}}`]: 0.17,
  })
})

test('the probe is in no histogram of messages without a label for the app', async () => {
  const { metrics, series } = scraped()
  new SessionStory({ clientName: 'probe' }).greeted().mail().rcpt().reset().closed('quit').tell(metrics)
  for (const name of ['transaction_duration_seconds', 'message_recipients', 'session_messages'])
    assert.deepEqual(await series(`smtp_proxy_${name}_count`), {}, name)
  const peer = 'server_address="send.example",smtp_client_name="probe"'
  assert.deepEqual(await series('smtp_proxy_transactions_total'), {
    [`{smtp_transaction_outcome="aborted",${peer}}`]: 1,
  })
  assert.deepEqual(await series('smtp_proxy_session_duration_seconds_count'), {
    [`{smtp_session_close_reason="quit",${peer}}`]: 1,
  })
})

test('if the clock stands still or jumps back, the duration is 0', async () => {
  const { metrics, series } = scraped()
  new SessionStory().exchange('NOOP', reply(250), -5).closed('quit').tell(metrics)
  const counts = await series('smtp_proxy_command_duration_seconds_count')
  assert.deepEqual(counts, { '{smtp_command="NOOP",server_address="send.example"}': 1 })
})

test('unsolicited replies, and replies in opaque sessions, have no duration', async () => {
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

test('three recipients, one refused: one message, two accepted, one refused', async () => {
  const { metrics, series } = scraped()
  const refused = reply(553, { cause: 'recipient_rejected' })
  new SessionStory().mail().rcpt().rcpt(refused).rcpt().data().accepted(900).tell(metrics)
  assert.deepEqual(await series('smtp_proxy_transactions_total'), {
    [`{smtp_transaction_outcome="accepted",${PEER}}`]: 1,
  })
  assert.deepEqual(await series('smtp_proxy_recipients_total'), {
    [`{smtp_recipient_verdict="accepted",${PEER}}`]: 2,
    [`{smtp_recipient_verdict="permfail",${PEER}}`]: 1,
  })
  assert.deepEqual(await series('smtp_proxy_message_recipients_sum'), { '{smtp_transaction_outcome="accepted"}': 3 })
})

test('a message has an error type if it failed, and a size if its body began', async () => {
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
    [`{smtp_transaction_outcome="aborted",${PEER}}`]: 1,
    [`{smtp_transaction_outcome="tempfail",error_type="451",${PEER}}`]: 1,
    [`{smtp_transaction_outcome="permfail",error_type="521",${PEER}}`]: 1,
    [`{smtp_transaction_outcome="in_doubt",error_type="upstream_lost",${PEER}}`]: 1,
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
  test(`the code ${code} is counted as 0`, async () => {
    const { metrics, series } = scraped()
    new SessionStory().exchange('NOOP', reply(code)).mail().refused('MAIL', reply(code)).tell(metrics)
    assert.equal((await series('smtp_proxy_replies_total'))[replyLabels('NOOP', reply(0))], 1)
    const [[labels] = []] = Object.entries(await series('smtp_proxy_transactions_total'))
    assert.match(labels ?? '', /error_type="0"/)
  })
}

test('local replies have the origin proxy (MET-02)', async () => {
  const { metrics, series } = scraped()
  const refusal = reply(421, { origin: 'proxy', cause: 'upstream_unreachable' })
  new SessionStory().greeted(refusal).closed('dial_failed').tell(metrics)
  assert.deepEqual(await series('smtp_proxy_replies_total'), { [replyLabels('CONNECT', refusal)]: 1 })
})

test('equal replies of the upstream and the proxy are counted separately', async () => {
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
  const refusal = reply(421, { origin: 'proxy', cause: 'upstream_unreachable' })
  new SessionStory()
    .dials({ error: 'connect_refused' })
    .dials({ error: 'connect_refused', serverAddress: 'send-us.example' })
    .greeted(refusal)
    .closed('dial_failed')
    .tell(metrics)
  assert.deepEqual(await series('smtp_proxy_replies_total'), { [replyLabels('CONNECT', refusal)]: 1 })
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

test('a session on a preconnected connection counts for its upstream; the dial is not counted again', async () => {
  const { metrics, series } = scraped({ servers: ['send.example', 'send-us.example'] })
  const observe = new SessionStory().tell(metrics)
  observe({ type: 'handover', at: 1_000_000, dial: dial({ serverAddress: 'send-us.example' }), preconnected: true })
  observe({ type: 'greeting', at: 1_000_000, end: 1_000_001, reply: reply(220) })
  const other = 'server_address="send-us.example",smtp_client_name="billing"'
  assert.deepEqual(await series('smtp_proxy_replies_total'), { [replyLabels('CONNECT', reply(220), other)]: 1 })
  assert.deepEqual(await series('smtp_proxy_upstream_dials_total'), {})
})
