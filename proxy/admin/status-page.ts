/**
 * The content of the status page. It contains nothing about single sessions or the environment, and no text from a peer.
 */
export interface Status {
  readonly version: string
  readonly uptimeSeconds: number
  /** URLs with the actual ports. */
  readonly listeners: readonly string[]
  /** `host:port`, in order of preference. */
  readonly upstreams: readonly string[]
  readonly activeSessions: number
  readonly draining: boolean
  /** Sentences that describe what the proxy changes. Everything else passes byte for byte. */
  readonly changes: readonly string[]
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
dt { font-weight: 600; margin-top: .75rem }
dd { margin: 0 }`

/** Renders the page as HTML. It loads nothing else. */
export function statusPage(status: Status): string {
  const state = status.draining ? 'draining, no new sessions' : 'running'
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>ahasend-smtp-proxy: ${escaped(state)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>ahasend-smtp-proxy</h1>
<dl>
<dt>State</dt><dd>${escaped(state)}</dd>
<dt>Version</dt><dd>${escaped(status.version)}</dd>
<dt>Uptime</dt><dd>${escaped(duration(status.uptimeSeconds))}</dd>
<dt>Active sessions</dt><dd>${status.activeSessions}</dd>
<dt>Listens on</dt>${list(status.listeners)}
<dt>Relays to</dt>${list(status.upstreams)}
<dt>Changes</dt>${list(status.changes)}
</dl>
<p><a href="metrics">metrics</a> <a href="livez">livez</a> <a href="readyz">readyz</a></p>
</body>
</html>
`
}

function list(items: readonly string[]): string {
  return items.map((item) => `<dd>${escaped(item)}</dd>`).join('')
}

/** The two largest units: `3 d 4 h`, `12 s`. */
function duration(seconds: number): string {
  const total = Math.floor(seconds)
  const parts = [
    [Math.floor(total / 86_400), 'd'],
    [Math.floor(total / 3600) % 24, 'h'],
    [Math.floor(total / 60) % 60, 'min'],
    [total % 60, 's'],
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  const shown = first < 0 ? parts.slice(-1) : parts.slice(first, first + 2)
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!)
}
