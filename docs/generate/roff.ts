/** Text as the input of man(7): manual pages. */

/** A section with its content. */
export function section(title: string, ...parts: readonly string[]): string {
  return `.SH ${title.toUpperCase()}\n${parts.join('')}`
}

/** A part of a section, with its own heading. */
export function subsection(title: string, ...parts: readonly string[]): string {
  return `.SS ${escaped(title)}\n${parts.join('')}`
}

/** A paragraph, from Markdown on one line. */
export function paragraph(markdown: string): string {
  return `.PP\n${line(markdown)}`
}

/** An entry of a list: a term, and its meaning in Markdown. */
export function entry(term: string, meaning: string): string {
  return `.TP\n.B ${escaped(term)}\n${line(meaning)}`
}

/** Lines as they are, in a font of fixed width. */
export function verbatim(text: string): string {
  return `.PP\n.nf\n${text.split('\n').map(line).join('')}.fi\n`
}

/** One line of text. Inline code is bold. */
export function line(markdown: string): string {
  const pieces = markdown
    .split('`')
    .map((piece, index) => (index % 2 === 1 ? `\\fB${escaped(piece)}\\fR` : escaped(piece)))
  return `${protectedStart(pieces.join(''))}\n`
}

/** Characters that roff would change. A long list of values may break after each comma. */
const REPLACEMENTS: readonly (readonly [RegExp, string])[] = [
  [/\\/g, '\\e'],
  [/-/g, '\\-'],
  [/'/g, '\\(aq'],
  [/"/g, '\\(dq'],
  [/\^/g, '\\(ha'],
  [/~/g, '\\(ti'],
  [/,(?=\S)/g, ',\\:'],
]

function escaped(text: string): string {
  return REPLACEMENTS.reduce((result, [character, name]) => result.replace(character, name), text)
}

/** A dot at the start of a line would be a request. */
function protectedStart(text: string): string {
  return text.startsWith('.') ? `\\&${text}` : text
}
