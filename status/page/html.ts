/** HTML as text, escaped by default. */

/** Text that is HTML already. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Part = string | number | Html | undefined | readonly Part[]

/** Builds HTML from a template: what is inserted is escaped, unless it is Html itself. `undefined` inserts nothing. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const inserted = parts.map(rendered)
  return new Html(texts.map((text, index) => text + (inserted[index] ?? '')).join(''))
}

function rendered(part: Part): string {
  if (part === undefined) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'object') return part.map(rendered).join('')
  return escaped(String(part))
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
