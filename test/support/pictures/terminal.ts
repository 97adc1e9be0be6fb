/** Text of a terminal as a page, for a picture. */

const COLORS: Readonly<Record<string, string>> = { 31: '#ff7b72', 32: '#56d364', 33: '#e3b341', 90: '#8b949e' }

/** The page: a window with the command and what it prints, including its colours. */
export function terminalPage(command: string, output: string): string {
  return `<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #0d1117; }
pre { display: inline-block; margin: 0; padding: 20px 24px; color: #e6edf3; background: #0d1117;
  font: 14px/1.5 "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
b { color: #79c0ff; font-weight: 400; }
</style><pre><b>$ ${escaped(command)}</b>\n${colored(output)}</pre>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Escape sequences for colours as elements. */
function colored(text: string): string {
  const escapeCharacter = String.fromCharCode(27)
  return escaped(text)
    .split(`${escapeCharacter}[`)
    .map((part, index) => {
      if (index === 0) return part
      const [, codes = '', rest = ''] = /^([0-9;]*)m([\s\S]*)$/.exec(part) ?? []
      const color = codes
        .split(';')
        .map((code) => COLORS[code])
        .find((found) => found !== undefined)
      return color === undefined ? rest : `<span style="color: ${color}">${rest}</span>`
    })
    .join('')
}
