/** The control page for browsers: the active faults, the received mail, and a button for each rehearsal. No script. */
import type { ActiveFault, ActiveFaults } from '../active-faults.ts'
import { faultType } from '../fault-names.ts'
import type { Ledger } from '../ledger.ts'
import { REHEARSALS, type Rehearsal } from '../rehearsals.ts'

/** The page as HTML. It loads nothing else. */
export function controlPage(faults: ActiveFaults, ledger: Ledger): string {
  const { sessions, messages } = ledger.summary()
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width">
<title>AhaSend rehearsal</title>
<style>${STYLE}</style>
<h1>AhaSend rehearsal</h1>
<p>This server simulates AhaSend and delivers nothing. Each button clears all faults and sets its own.</p>
<h2>Active faults</h2>
${list(faults.list())}
<h2>Received mail</h2>
<p>${count(messages.received)} messages (${count(messages.accepted)} accepted, ${count(messages.refused)} refused) over
${count(sessions.opened)} connections.</p>
<h2>Rehearsals</h2>
<table>
${REHEARSALS.map(button).join('\n')}
</table>
<p>To set any other fault, with a probability or a number of times, send <code>PUT /faults/NAME</code>. For the list of
faults, open this page with <code>curl</code>.</p>
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
  if (active.length === 0) return '<p>None. The simulator accepts all mail.</p>'
  return `<ul>\n${active.map(item).join('\n')}\n</ul>`
}

function item({ name, options, applied }: ActiveFault): string {
  const meaning = faultType(name)?.meaning ?? ''
  const chance = options.probability === undefined ? '' : ` Probability: ${options.probability * 100}%.`
  return `<li><code>${escaped(name)}</code> ${escaped(meaning)}${chance} Applied ${count(applied)} times.</li>`
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
