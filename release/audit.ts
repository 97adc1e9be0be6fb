/** Known vulnerabilities of the packages, as `npm audit` reports them. */
import { spawnSync } from 'node:child_process'

/** From harmless to worst. */
const SEVERITIES = ['info', 'low', 'moderate', 'high', 'critical'] as const

type Severity = (typeof SEVERITIES)[number]

/** What `npm audit --json` prints: a report, or an error. */
interface Output {
  readonly auditReportVersion?: number
  readonly vulnerabilities?: Readonly<Record<string, Vulnerability>>
  readonly metadata?: { readonly dependencies: { readonly total: number } }
  readonly message?: string
}

interface Vulnerability {
  readonly name: string
  readonly severity: Severity
  readonly range: string
  /** The folders of the package. */
  readonly nodes: readonly string[]
  /** Its advisories, and the names of packages through which it is vulnerable. */
  readonly via: readonly (string | { readonly title: string; readonly url: string })[]
}

/** `unknown`: the registry did not answer, so nothing is known. */
export interface Verdict {
  readonly outcome: 'passed' | 'failed' | 'unknown'
  readonly lines: readonly string[]
}

/** Asks the registry of npm about package-lock.json of the folder. */
export function runAudit(root: string, args: readonly string[] = []): string {
  const { stdout, error } = spawnSync('npm', ['audit', '--json', ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
  })
  return error === undefined ? stdout : JSON.stringify({ message: error.message })
}

/**
 * Fails for vulnerabilities of severity high or critical in a package of `bundled`, which are folders. Others are only
 * listed: they do not reach users.
 */
export function judge(output: string, bundled: ReadonlySet<string>): Verdict {
  const report = parse(output)
  if (report.auditReportVersion !== 2 || report.vulnerabilities === undefined || !report.metadata?.dependencies.total) {
    const reason = report.message ?? (output.slice(0, 200).trim() || 'npm printed nothing')
    return { outcome: 'unknown', lines: [`The registry did not answer, so nothing is known: ${reason}`] }
  }
  const found = Object.values(report.vulnerabilities).map((one) => ({
    ...one,
    isBundled: one.nodes.some((node) => bundled.has(node)),
  }))
  const failed = found.some(({ isBundled, severity }) => isBundled && isSevere(severity))
  return { outcome: failed ? 'failed' : 'passed', lines: found.map(lineOf) }
}

function parse(output: string): Output {
  try {
    return (JSON.parse(output) ?? {}) as Output
  } catch {
    return {}
  }
}

function isSevere(severity: Severity): boolean {
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf('high')
}

function lineOf({ name, severity, range, via, isBundled }: Vulnerability & { readonly isBundled: boolean }): string {
  const reasons = via.map((one) => (typeof one === 'string' ? `through ${one}` : `${one.title} (${one.url})`))
  return `${severity}, ${isBundled ? 'in the product' : 'only in development'}: ${name} ${range}: ${reasons.join('; ')}`
}
