/** Charts as SVG, for a page that is complete without JavaScript. With it, the same data is drawn by uPlot. */
import { type Html, html } from './html.ts'
import { clock, count } from './numbers.ts'

/** One kind of bar. `name` is its legend and, in lower case with hyphens, its CSS class. */
export interface Series {
  readonly name: string
  readonly className: string
  readonly values: readonly number[]
}

export interface Chart {
  readonly id: string
  readonly title: string
  /** The beginnings of the minutes, in milliseconds since the Unix epoch. */
  readonly times: readonly number[]
  /** Stacked from the bottom. */
  readonly series: readonly Series[]
}

const WIDTH = 600
const HEIGHT = 140

/** Stacked bars, one per minute, with the highest value, a legend and a sentence for screen readers. */
export function stackedBars({ id, title, times, series }: Chart): Html {
  const sums = times.map((_, index) => series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0))
  const highest = Math.max(1, ...sums)
  const step = WIDTH / Math.max(1, times.length)
  const bars = times.map((_, index) => column(series, index, { step, highest }))
  const legend = series.map(({ name, className, values }) => legendItem(name, className, total(values)))
  return html`<figure class="chart" data-chart="${id}">
<figcaption>${title} <span class="muted when">per minute; sums of 60</span></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${spoken(title, series)}">${bars}</svg>
<div class="axis muted"><span>${clock(times[0] ?? 0).slice(0, 5)}</span><span>${clock(times.at(-1) ?? 0).slice(0, 5)} UTC</span></div>
<ul class="legend">${legend}</ul>
</figure>`
}

function column(
  series: readonly Series[],
  index: number,
  { step, highest }: { step: number; highest: number },
): Html[] {
  let bottom = HEIGHT
  return series.flatMap(({ className, values }) => {
    const value = values[index] ?? 0
    if (value === 0) return []
    const height = Math.max(1.5, (value / highest) * HEIGHT)
    bottom -= height
    const [x, width] = [(index * step + 1).toFixed(1), (step - 2).toFixed(1)]
    return [
      html`<rect class="${className}" x="${x}" y="${Math.max(0, bottom).toFixed(1)}" width="${width}" height="${height.toFixed(1)}"/>`,
    ]
  })
}

function legendItem(name: string, className: string, sum: number): Html {
  return html`<li><span class="swatch ${className}"></span>${name} <b>${count(sum)}</b></li>`
}

function spoken(title: string, series: readonly Series[]): string {
  const sums = series.map(({ name, values }) => `${name}: ${count(total(values))}`)
  return `${title} in the last 60 minutes. ${sums.join(', ')}.`
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}
