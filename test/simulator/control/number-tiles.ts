/** The part of the control page with the numbers of the ledger. */
import { type Html, html } from '../../../status/page/html.ts'
import { count } from '../../../status/page/numbers.ts'
import type { Numbers } from './numbers.ts'
import type { State } from './state.ts'
import { commandName } from './words.ts'

type Tile = 'accepted' | 'refused' | 'inDoubt' | 'connectionsRefused' | 'loginsRefused'

const TILES: readonly (readonly [tile: Tile, name: string, detail: string])[] = [
  ['accepted', 'Messages accepted', 'final reply 250'],
  ['refused', 'Refused', 'senders, recipients, messages'],
  ['inDoubt', 'In doubt', 'received, no final reply sent'],
  ['connectionsRefused', 'Connections refused', 'in place of the greeting'],
  ['loginsRefused', 'Logins refused', 'at AUTH'],
]

export function numbersPart({ numbers, incident }: State): Html {
  const before = incident?.before
  const tile = ([key, name, detail]: (typeof TILES)[number]) =>
    html`<div data-number="${key}"><dt>${name}</dt><dd><b>${count(numbers[key])}</b> <span class="muted">${detail}${before && added(numbers[key] - before[key])}</span></dd></div>`
  return html`<dl class="tiles">${TILES.map(tile)}</dl>${refusals(numbers)}`
}

function added(more: number): Html {
  return html`<br>${count(more)} in this incident`
}

function refusals({ refusals: all }: Numbers): Html {
  if (all.length === 0) return html`<p class="muted">AhaSend has refused nothing so far.</p>`
  const item = ({ command, code, count: times }: Numbers['refusals'][number]) =>
    html`<li><b>${code}</b> ${commandName(command)}${command === 'UNSOLICITED' ? ' (normal)' : ''} <span class="times">× <b>${count(times)}</b></span></li>`
  return html`<ul class="refusals" aria-label="Refusals by code and command">${all.map(item)}</ul>`
}
