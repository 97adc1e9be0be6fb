/** The generated parts of a page. Comments mark where each one begins and ends; all other text is written by hand. */

/** The parts of a page by their names. */
export type Parts = Readonly<Record<string, string>>

/** The page with its generated parts replaced. Throws if a part is missing from the page, or not in `parts`. */
export function withParts(path: string, page: string, parts: Parts): string {
  const unknown = [...page.matchAll(/<!-- \/(\S+) -->/g)]
    .map(([, name = '']) => name)
    .filter((name) => !(name in parts))
  if (unknown.length > 0) throw new Error(`${path}: nothing writes the part "${unknown[0]}"`)
  return Object.entries(parts).reduce((text, [name, content]) => replaced(path, text, name, content), page)
}

function replaced(path: string, page: string, name: string, content: string): string {
  const [begin, end] = [beginOf(name), endOf(name)]
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from < 0 || to < from) throw new Error(`${path}: has no part "${name}". It begins with the line ${begin.trim()}`)
  return `${page.slice(0, from)}${begin}\n${content}\n${page.slice(to)}`
}

function beginOf(name: string): string {
  return `<!-- ${name}: written by \`npm run docs\` -->\n`
}

function endOf(name: string): string {
  return `<!-- /${name} -->`
}

/** The text of a page that is written by hand. */
export function withoutParts(page: string): string {
  return page.replace(/<!-- (\S+): written by `npm run docs` -->\n[\s\S]*?<!-- \/\1 -->/g, '')
}
