/** Renders tables of settings for the terminal and the README, and recognizes other variables of the environment. */

/** The environment, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The documentation of one variable. */
export interface Documented {
  readonly variable: string
  /** The value of an unset variable; empty = none. */
  readonly default: string
  /** The default in the container image, if it differs. */
  readonly inImage?: string
  /** For operators, in Markdown on one line. */
  readonly meaning: string
}

/** The entry of one variable in `--help`, without a final newline. */
export function helpOf(row: Documented): string {
  const image = row.inImage === undefined ? '' : ` (container image: ${row.inImage})`
  const byDefault = row.default === '' ? '' : `Default: ${row.default}${image}`
  const lines = [...wrapped(row.meaning.replaceAll('`', '')), ...(byDefault === '' ? [] : [byDefault])]
  return [row.variable, ...lines.map((line) => `    ${line}`)].join('\n')
}

const HELP_WIDTH = 106

function wrapped(text: string): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trimStart()
    if (longer.length <= HELP_WIDTH) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

/** A Markdown table of settings, ending in a newline. */
export function markdownTable(rows: readonly Documented[]): string {
  const lines = rows.map((row) => `| \`${row.variable}\` | ${defaultCell(row)} | ${row.meaning} |`)
  return `${['| variable | default | meaning |', '|---|---|---|', ...lines].join('\n')}\n`
}

function defaultCell(row: Documented): string {
  const image = row.inImage === undefined ? '' : ` (image: \`${row.inImage}\`)`
  return row.default === '' ? '' : `\`${row.default}\`${image}`
}

/**
 * Kubernetes sets such variables in pods for each service of their namespace, so a service whose name begins like a
 * setting is not a mistake (https://kubernetes.io/docs/concepts/services-networking/service/).
 */
export function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_|$)/.test(name) || /^(?:tcp|udp|sctp):/.test(value)
  )
}
