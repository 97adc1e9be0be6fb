/** The files of a release: what is attached to its page, besides the images and the chart in the registry. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, globSync, mkdirSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Files of the project that a release attaches: the dashboards, the rules, and what Compose needs. */
const COPIED = ['dashboards/generated/*.{json,yaml}', 'compose*.yaml', '.env.example', 'rehearsal.env']

/** Of each of these, a release has at least one. The version is in place of VERSION. */
const EXPECTED: readonly string[] = [
  'ahasend-smtp-proxy-VERSION.tgz',
  'ahasend-smtp-proxy-VERSION-image.cdx.json',
  'ahasend-smtp-proxy-VERSION-npm.cdx.json',
  'ahasend-smtp-proxy_VERSION*_amd64.deb',
  'ahasend-smtp-proxy_VERSION*_arm64.deb',
  'ahasend-mail-health.json',
  'ahasend-smtp-proxy.rules.yaml',
  'grafana-alerts.yaml',
  'compose.yaml',
  'env.example',
]

/** Copies the files of the project into the folder, and packs the npm package there. */
export function collectAssets(root: string, folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const file of globSync([...COPIED], { cwd: root })) copyFileSync(join(root, file), join(folder, nameOf(file)))
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

/** The name of a file on the page: GitHub renames files that begin with a dot. */
function nameOf(file: string): string {
  return basename(file).replace(/^\./, '')
}

/** Throws if the folder lacks a file that a release of this version has. */
export function checkAssets(folder: string, version: string): void {
  const names = readdirSync(folder)
  const missing = EXPECTED.map((name) => name.replace('VERSION', version)).filter((name) => !names.some(matches(name)))
  if (missing.length > 0) throw new Error(missing.map((name) => `${folder} has no ${name}`).join('\n'))
}

function matches(pattern: string): (name: string) => boolean {
  const [start = '', end] = pattern.split('*')
  return (name) => (end === undefined ? name === start : name.startsWith(start) && name.endsWith(end))
}
