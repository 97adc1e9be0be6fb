/** The reference of metrics and labels. That it is complete: telemetry.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeDetails, metricParts } from '../../../docs/generate/metrics.ts'
import { closeDetailMeanings, errorMeanings, valueMeanings } from '../../../otel/names/value-meanings.ts'

const parts = metricParts()

test('a metric: both names, its type and unit, what it shows, and its labels', () => {
  assert.ok(
    parts.metrics?.includes(
      '| `smtp_proxy_recipients_total`<br>smtp.proxy.recipients<br>counter, `{recipient}` | Recipients that the upstream ' +
        'answered.<br>`smtp_recipient_verdict`, `server_address`, `smtp_client_name` |\n',
    ),
  )
})

test('histograms with the same buckets share a row', () => {
  assert.match(
    parts.buckets ?? '',
    /^\| 0\.005, 0\.01, .* 60 `s` \| `smtp_proxy_command_duration_seconds`<br>`smtp_proxy_transaction_duration_seconds`<br>/m,
  )
})

test('a label with few values explains them in its row, and one with many in a table of its own', () => {
  assert.ok(
    parts.labels?.includes(
      "| `tls_side` | Whose certificate it is. | `listener`: The certificate of the proxy's listeners.<br>`upstream`: The " +
        'certificate that AhaSend presents. |\n',
    ),
  )
  assert.match(parts.labels ?? '', /^\| `smtp_opaque_reason` \| .* \| \[7 values\]\(#smtp_opaque_reason\) \|$/m)
  assert.match(parts.labels ?? '', /^### `smtp_opaque_reason`\n\n\| value \| meaning \|\n/m)
})

test('a cause names who must act, what to do and the runbook', () => {
  assert.match(
    parts.labels ?? '',
    /^\| `message_too_big` \| 552 \| .* \| App: code\. Send .* \[Runbook\]\(\.\.\/dashboards\/runbooks\/AhaSendMessageSizeLimit\.md\) \|$/m,
  )
  assert.match(parts.labels ?? '', /^\| `draining` \| .* \| No one\. Apps connect to the next proxy\. \|$/m)
})

test('the values of smtp.session.close_detail', () => {
  assert.match(closeDetails(), /^\| `no_header` \| The connection does not begin with a header\. \|$/m)
})

test('the meaning of every value is one or more sentences', () => {
  const meanings = [...Object.values(valueMeanings), closeDetailMeanings].flatMap((values) => Object.values(values))
  assert.ok(meanings.length > 80)
  for (const meaning of meanings) assert.match(meaning, /^[A-Z].*\.$/)
  for (const meaning of Object.values(errorMeanings)) assert.match(meaning, /^[A-Za-z]\S* .*[\w).?]$/)
})
