/** The files with generated parts. The text around these parts is written by hand. */
import { CHANGES } from '../../proxy/session/changes.ts'
import { alertParts } from './alerts.ts'
import { chartParts } from './charts.ts'
import { withSettings } from './env-example.ts'
import { probeEnv, proxyEnv } from './host-env.ts'
import { manPage } from './man-page.ts'
import { contentsOf } from './markdown.ts'
import { metricParts } from './metrics.ts'
import { type Parts, withParts } from './parts.ts'
import { recordParts } from './records.ts'
import { settingsParts } from './settings.ts'

/** The generated parts of each page, by its path from the root. */
const PAGES: Readonly<Record<string, () => Parts>> = {
  'docs/configuration.md': settingsParts,
  'docs/telemetry.md': () => ({ ...metricParts(), ...recordParts() }),
  'docs/alerts.md': alertParts,
  'charts/ahasend-smtp-proxy/README.md': chartParts,
  'docs/what-it-changes.md': () => ({ changes: CHANGES.map((change) => `- ${change}\n`).join('') }),
}

/** The files that are generated as a whole, by their path from the root. */
const FILES: Readonly<Record<string, () => string>> = {
  'packaging/deb/proxy.env': proxyEnv,
  'packaging/deb/probe.env': probeEnv,
  'packaging/deb/ahasend-smtp-proxy.8': manPage,
}

const ENV_EXAMPLE = '.env.example'

/** The paths of all files with generated parts. */
export const PATHS: readonly string[] = [...Object.keys(PAGES), ENV_EXAMPLE, ...Object.keys(FILES)]

/** A file with its generated parts regenerated. `text` is its current content. */
export function regenerated(path: string, text: string): string {
  if (path === ENV_EXAMPLE) return withSettings(text)
  const whole = FILES[path]
  if (whole !== undefined) return whole()
  const parts = PAGES[path]
  if (parts === undefined) throw new Error(`${path}: has no generated parts`)
  return withContents(path, text, parts())
}

/** The contents list the headings of the other parts, too, so they are written last. Short pages have none. */
function withContents(path: string, text: string, parts: Parts): string {
  if (!text.includes('<!-- /contents -->')) return withParts(path, text, parts)
  const page = withParts(path, text, { ...parts, contents: '' })
  return withParts(path, page, { ...parts, contents: contentsOf(page) })
}
