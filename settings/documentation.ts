/** Documents settings for the terminal, the README and .env.example. */

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

/** The entries of `--help`, without a final newline. */
export function helpEntries(rows: readonly Documented[]): string {
  return rows.map(helpEntry).join('\n\n')
}

function helpEntry(row: Documented): string {
  const image = row.inImage === undefined ? '' : ` (container image: ${row.inImage})`
  const byDefault = row.default === '' ? [] : [`    Default: ${row.default}${image}`]
  return [row.variable, wrapped(row.meaning, '    ', HELP_WIDTH), ...byDefault].join('\n')
}

const HELP_WIDTH = 110

/** A Markdown table of settings, ending in a newline. */
export function markdownTable(rows: readonly Documented[]): string {
  const lines = rows.map((row) => `| \`${row.variable}\` | ${defaultCell(row)} | ${row.meaning} |`)
  return `${['| variable | default | meaning |', '|---|---|---|', ...lines].join('\n')}\n`
}

function defaultCell(row: Documented): string {
  const image = row.inImage === undefined ? '' : ` (image: \`${row.inImage}\`)`
  return row.default === '' ? '' : `\`${row.default}\`${image}`
}

/** A part of .env.example: each setting commented out, with the value that it has in the image. Ends in a newline. */
export function envExample(title: string, rows: readonly Documented[]): string {
  const entries = rows.map(
    (row) => `${wrapped(row.meaning, '# ', ENV_WIDTH)}\n#${row.variable}=${row.inImage ?? row.default}\n`,
  )
  return `# --- ${title} ---\n\n${entries.join('\n')}`
}

const ENV_WIDTH = 118

/** Markdown as plain text in lines of at most `width` characters, each of which begins with `prefix`. */
function wrapped(markdown: string, prefix: string, width: number): string {
  const [first = '', ...words] = markdown.replaceAll('`', '').split(' ')
  const lines = [`${prefix}${first}`]
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`
    if (longer.length <= width) lines[lines.length - 1] = longer
    else lines.push(`${prefix}${word}`)
  }
  return lines.join('\n')
}
