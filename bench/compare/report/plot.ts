/** The results as an SVG picture: bars, each with its value. It follows the light or dark theme of the reader. */
import { type Html, html } from '../../../status/page/html.ts'
import type { Security } from '../contenders/contender.ts'
import type { Results } from '../results.ts'
import { titleOf } from './markdown.ts'
import { number } from './numbers.ts'
import { type Figure, type Row, type Table, tablesOf } from './table.ts'

/** One group of bars. */
interface Panel {
  readonly workload: string
  readonly variant: string
  readonly title: string
  readonly unit: string
  readonly figure: Figure
}

const PANELS: readonly Panel[] = [
  { workload: 'W1', variant: '', title: 'CPU per message, one connection each', unit: 'ms', figure: 'cpuMsPerMessage' },
  {
    workload: 'W2',
    variant: '',
    title: 'CPU per message, persistent connections',
    unit: 'ms',
    figure: 'cpuMsPerMessage',
  },
  { workload: 'W2p', variant: '', title: 'CPU per message, pipelined', unit: 'ms', figure: 'cpuMsPerMessage' },
  { workload: 'W3', variant: '', title: 'CPU per message of 10 MB', unit: 'ms', figure: 'cpuMsPerMessage' },
  { workload: 'W5', variant: '30% load', title: 'p99 of a message, open loop at 30% load', unit: 'ms', figure: 'p99' },
  { workload: 'W6', variant: '40 ms', title: 'p50 with a new connection, 40 ms round trip', unit: 'ms', figure: 'p50' },
]

const WIDTH = 920
const COLUMN = WIDTH / 2
/** The text left of the bars, and the room for values right of them. */
const NAMES = 180
const VALUES = 64
const BAR = 14
const STEP = 20
const HEAD = 34
const TOP = 64
/** A bar is at most this many times as long as that of our proxy. */
const CUT = 4

const STYLE = `text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } .big { font-size: 15px; font-weight: 600 }
.note { fill: #57606a } .bar { fill: #8c959f } .ours { fill: #0969da } .whisker { stroke: #24292f }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .note { fill: #9198a1 } .bar { fill: #6e7681 } .ours { fill: #4493f8 } .whisker { stroke: #e6edf3 } }`

/** Draws the panels that have figures, for the TLS upstream if it was measured. */
export function plotOf(results: Results): string {
  const upstream: Security = results.series.some((one) => one.upstream === 'tls') ? 'tls' : 'plain'
  const tables = tablesOf(results).filter((table) => table.upstream === upstream)
  const drawn = PANELS.flatMap((panel) => {
    const rows = rowsOf(panel, tables)
    return rows.length === 0 ? [] : [{ panel, rows }]
  })
  const heights = Array.from({ length: Math.ceil(drawn.length / 2) }, (_, line) => {
    const most = Math.max(...drawn.slice(2 * line, 2 * line + 2).map(({ rows }) => rows.length))
    return HEAD + most * STEP + 20
  })
  const topOf = (line: number) => TOP + heights.slice(0, line).reduce((sum, one) => sum + one, 0)
  const panels = drawn.map(({ panel, rows }, index) =>
    panelOf(panel, rows, { x: (index % 2) * COLUMN, y: topOf(Math.floor(index / 2)) }),
  )
  const { machine, date, rounds } = results
  const title = `ahasend-smtp-proxy and others, ${upstream === 'tls' ? 'TLS to the upstream' : 'plain text'}: less is better`
  const note = `${date}, ${machine.cores} cores (${machine.cpu}), ${rounds === 1 ? 'one round' : `medians of ${rounds} rounds, line: lowest to highest`}. npm run bench`
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${topOf(heights.length)}" role="img" aria-label="${title}">
<title>${title}</title>
<style>${STYLE}</style>
<text class="big" x="8" y="24">${title}</text>
<text class="note" x="8" y="44">${note}</text>
${panels}</svg>
`.text
}

function rowsOf({ workload, variant, figure }: Panel, tables: readonly Table[]): Row[] {
  const table = tables.find((one) => one.workload === workload && one.variant === variant)
  return table?.rows.filter(({ figures }) => figures[figure] !== undefined) ?? []
}

function panelOf(
  { title, unit, figure }: Panel,
  rows: readonly Row[],
  { x, y }: { readonly x: number; readonly y: number },
): Html {
  const highest = highestBar(rows, figure)
  const scale = (COLUMN - NAMES - VALUES - 16) / highest
  const bars = rows.map((row, index) => barOf(row, figure, { x, y: y + HEAD + index * STEP, scale, highest }))
  return html`<text class="title" x="${x + 8}" y="${y + 20}">${title} (${unit})</text>
${bars}`
}

/** The value of the longest bar. Much higher ones are cut, because they would make the others too short to compare. */
function highestBar(rows: readonly Row[], figure: Figure): number {
  const highest = Math.max(...rows.map(({ figures }) => figures[figure]!.median))
  const ours = rows.find(({ contender }) => contender === 'ours')?.figures[figure]?.median
  return Math.min(highest, CUT * (ours ?? highest))
}

interface Place {
  readonly x: number
  readonly y: number
  /** Pixels per unit. */
  readonly scale: number
  /** The value of the longest bar. */
  readonly highest: number
}

function barOf({ contender, figures }: Row, figure: Figure, { x, y, scale, highest }: Place): Html {
  const { median, lowest, highest: top } = figures[figure]!
  const start = x + NAMES
  const at = (value: number) => (start + Math.max(1, Math.min(value, highest) * scale)).toFixed(1)
  const middle = y + BAR / 2
  const cut = median > highest
  return html`<text x="${start - 6}" y="${y + 11}" text-anchor="end">${titleOf(contender)}</text>
<rect class="${contender.startsWith('ours') ? 'ours' : 'bar'}" x="${start}" y="${y}" width="${(Number(at(median)) - start).toFixed(1)}" height="${BAR}" rx="2"/>
<line class="whisker" x1="${at(lowest)}" x2="${at(top)}" y1="${middle}" y2="${middle}"/>
<text x="${Number(at(top)) + 6}" y="${y + 11}">${number(median)}${cut ? ' (cut)' : ''}</text>
`
}
