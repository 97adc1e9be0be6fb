/** Documents settings: what a row says about its variable, the groups of rows, and the help in a terminal. */

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

/** Variables with one purpose, for people. */
export interface Group {
  readonly title: string
  /** One sentence in Markdown. */
  readonly about: string
}

/** The documentation of a variable, and the key of its group. */
export interface Grouped<Key extends string> extends Documented {
  readonly group: Key
}

/** A group and its variables. */
export interface Section extends Group {
  readonly rows: readonly Documented[]
}

/** The groups with their rows, in the order of `groups`. Throws if a row is in no group, or if a group has no row. */
export function sectionsOf<Key extends string>(
  groups: Readonly<Record<Key, Group>>,
  rows: readonly Grouped<Key>[],
): readonly Section[] {
  const homeless = rows.find(({ group }) => groups[group] === undefined)
  if (homeless)
    throw new Error(`${homeless.variable}: its row names no group. Add \`group\`, one of ${Object.keys(groups)}`)
  return Object.entries<Group>(groups).map(([key, group]) => {
    const own = rows.filter((row) => row.group === key)
    if (own.length === 0) throw new Error(`the group ${key} has no variable: remove it`)
    return { ...group, rows: own }
  })
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

/** Markdown as plain text in lines of at most `width` characters, each of which begins with `prefix`. */
export function wrapped(markdown: string, prefix: string, width: number): string {
  const [first = '', ...words] = markdown.replaceAll('`', '').split(' ')
  const lines = [`${prefix}${first}`]
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`
    if (longer.length <= width) lines[lines.length - 1] = longer
    else lines.push(`${prefix}${word}`)
  }
  return lines.join('\n')
}
