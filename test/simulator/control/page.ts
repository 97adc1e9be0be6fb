/** The control page for people: what is in force, what was received, and a button for each rehearsal. No script. */

import type { ActiveFault, Faults } from '../active-faults.ts'
import { formOf } from '../faults.ts'
import type { Ledger } from '../ledger.ts'
import { REHEARSALS, type Rehearsal } from '../rehearsals.ts'

/** The page as HTML, complete in itself. */
export function controlPage(faults: Faults, ledger: Ledger): string {
  const { sessions, messages } = ledger.summary()
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width">
<title>AhaSend rehearsal</title>
<style>${STYLE}</style>
<h1>AhaSend rehearsal</h1>
<p>This server acts as AhaSend and delivers nothing. A button ends what is in force and begins its own.</p>
<h2>In force</h2>
${list(faults.list())}
<h2>Received</h2>
<p>${count(messages.received)} mails, of which ${count(messages.accepted)} accepted and ${count(messages.refused)} refused,
in ${count(sessions.opened)} connections.</p>
<h2>Rehearse</h2>
<table>
${REHEARSALS.map(button).join('\n')}
</table>
<p>Other faults, with chances and counts of their own, are set with <code>PUT /faults/NAME</code>; <code>curl</code> this
page for the list.</p>
</html>
`
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 48rem; padding: 0 1rem; color-scheme: light dark }
button { font: inherit; width: 100%; padding: .4rem .8rem; text-align: left; white-space: nowrap }
td { padding: .2rem 1rem .2rem 0; vertical-align: middle }
form { margin: 0 }
`

function list(active: readonly ActiveFault[]): string {
  if (active.length === 0) return '<p>Nothing: all is well.</p>'
  return `<ul>\n${active.map(item).join('\n')}\n</ul>`
}

function item({ name, options, struck }: ActiveFault): string {
  const often = options.probability === undefined ? '' : ` Chance: ${options.probability * 100} %.`
  return `<li><code>${escaped(name)}</code> ${escaped(formOf(name)?.meaning ?? '')}${often} Struck ${count(struck)} times.</li>`
}

function button({ id, label, meaning }: Rehearsal): string {
  const form = `<form method="post" action="/rehearsals/${id}"><button>${escaped(label)}</button></form>`
  return `<tr><td>${form}</td><td>${escaped(meaning)}</td></tr>`
}

function count(value: number): string {
  return value.toLocaleString('en')
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
