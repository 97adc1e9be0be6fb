/** Tables of settings as people read them, in the terminal and in the README, and what the environment holds besides. */

/** The environment, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What a table says of one variable. */
export interface Documented {
  readonly variable: string
  /** What an unset variable stands for; empty = nothing. */
  readonly default: string
  /** What the container image sets instead. */
  readonly inImage?: string
  /** For operators, in Markdown on one line. */
  readonly meaning: string
}

/** What `--help` says of one variable, without a line end. */
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
 * Kubernetes announces each service of a namespace to its pods in such variables, so a service whose name begins like a
 * setting is no mistake (https://kubernetes.io/docs/concepts/services-networking/service/).
 */
export function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_|$)/.test(name) || /^(?:tcp|udp|sctp):/.test(value)
  )
}
