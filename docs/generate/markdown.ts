/** Markdown as GitHub renders it: headings with their anchors, and tables. */
import GithubSlugger from 'github-slugger'
import { lexer, type Token, walkTokens } from 'marked'

/** A heading, and the anchor that GitHub gives it. */
export interface Heading {
  readonly depth: number
  /** Without markup. */
  readonly text: string
  readonly anchor: string
}

/** The headings of a document, in order. */
export function headingsOf(markdown: string): readonly Heading[] {
  const slugger = new GithubSlugger()
  const headings: Heading[] = []
  walkTokens(lexer(markdown), (token) => {
    if (token.type !== 'heading') return
    const text = plainText(token)
    headings.push({ depth: Number(token.depth), text, anchor: slugger.slug(text) })
  })
  return headings
}

function plainText(token: Token): string {
  const inner = 'tokens' in token ? token.tokens : undefined
  return inner === undefined ? String('text' in token ? token.text : '') : inner.map(plainText).join('')
}

/** A list of links to the headings of a document below its title: one line for each section, with its subsections. */
export function contentsOf(markdown: string): string {
  const sections: string[] = []
  for (const { depth, text, anchor } of headingsOf(markdown)) {
    const link = `[${text}](#${anchor})`
    const last = sections.at(-1)
    if (depth === 2) sections.push(`- ${link}`)
    else if (depth === 3 && last !== undefined) {
      sections[sections.length - 1] = last.includes('): ') ? `${last}, ${link}` : `${last}: ${link}`
    }
  }
  return `${sections.join('\n')}\n`
}

/** A table, ending in a newline. The cells are Markdown on one line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map(cell).join(' | ')} |`)
  return `${lines.join('\n')}\n`
}

/** A pipe separates cells even inside code, unless it is escaped. Names of settings are code. */
function cell(markdown: string): string {
  const parts = markdown.replaceAll('|', '\\|').split('`')
  // every second part is code
  return parts.map((part, index) => (index % 2 === 0 ? withSettingsAsCode(part) : part)).join('`')
}

function withSettingsAsCode(text: string): string {
  return text.replace(/\b(?:PROXY|OTEL|ALERT)_[A-Z_]+(?:=\w+)?/g, '`$&`')
}

/** Text as code. */
export function code(text: string | number | boolean): string {
  return `\`${text}\``
}

/** Lines of one cell. */
export function lines(...each: readonly string[]): string {
  return each.filter((line) => line !== '').join('<br>')
}

/** A text as a sentence: with a capital letter and a full stop. */
export function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.?!]$/.test(capital) ? capital : `${capital}.`
}
