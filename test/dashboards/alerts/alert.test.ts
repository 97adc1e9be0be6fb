/** The placeholders in the texts of alerts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grafanaWording, prometheusWording, type Wording } from '../../../dashboards/alerts/alert.ts'

const PLACEHOLDERS: readonly (readonly [program: string, wording: Wording, value: string])[] = [
  ['Prometheus', prometheusWording, '$value'],
  ['Grafana', grafanaWording, '$values.query.Value'],
]

for (const [program, { label, count, share, time }, value] of PLACEHOLDERS) {
  test(`${program} replaces labels and the value`, () => {
    assert.equal(label('server.address'), '{{ $labels.server_address }}')
    assert.match(
      label('smtp.client.name'),
      /^\{\{ if eq \$labels\.smtp_client_name "other" \}\}apps without a name \(PROXY_CLIENTS\)\{\{ else \}\}\{\{ \$labels\.smtp_client_name \}\}\{\{ end \}\}$/,
    )
    assert.equal(count, `{{ ${value} | printf "%.0f" }}`)
    assert.equal(share, `{{ ${value} | humanizePercentage }}`)
    assert.equal(time, `{{ ${value} | humanizeDuration }}`)
  })
}
