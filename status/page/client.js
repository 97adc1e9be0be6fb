/// <reference lib="dom" />
/**
 * Keeps the page up to date: the server sends the content of <main> when it changes, and the data of its charts, which
 * uPlot draws with values under the cursor. Without this script the page is complete, but does not change.
 */

/** @typedef {{ id: string, times: number[], series: { name: string, className: string, values: number[] }[] }} Chart */
/** @typedef {{ title: string, main: string, charts: Chart[] }} Update */

const main = /** @type {HTMLElement} */ (document.querySelector('main'))
const live = /** @type {HTMLElement} */ (document.querySelector('#live'))
const announcement = /** @type {HTMLElement} */ (document.querySelector('#announcement'))

const source = new EventSource('events')
source.addEventListener('status', (event) => show(JSON.parse(event.data)))
source.addEventListener('open', () => {
  live.textContent = 'Live'
})
source.addEventListener('error', () => {
  live.textContent = 'The proxy does not answer. This page shows its last state.'
})

/** @param {Update} update */
function show({ title, main: content, charts }) {
  if (document.title !== title) announcement.textContent = title
  document.title = title
  keepPlace(() => {
    main.innerHTML = content
  })
  for (const chart of charts) draw(chart)
}

/** Keeps what the reader opened, focused and scrolled to. @param {() => void} change */
function keepPlace(change) {
  const open = [...main.querySelectorAll('details[open]')].map(({ id }) => id)
  const focused = document.activeElement?.getAttribute('aria-labelledby')
  const scrolled = new Map(
    [...main.querySelectorAll('.scroll')].map((part) => [part.getAttribute('aria-labelledby'), part.scrollLeft]),
  )
  change()
  for (const id of open) document.getElementById(id)?.setAttribute('open', '')
  for (const part of main.querySelectorAll('.scroll')) {
    const name = part.getAttribute('aria-labelledby')
    part.scrollLeft = scrolled.get(name) ?? 0
    if (name === focused && part instanceof HTMLElement) part.focus({ preventScroll: true })
  }
}

/** Draws stacked bars in place of the image that the server made. @param {Chart} chart */
function draw({ id, times, series }) {
  const figure = main.querySelector(`[data-chart="${id}"]`)
  const image = figure?.querySelector('svg')
  // @ts-expect-error: uplot.js, which is loaded before this file, defines it
  const uPlot = window.uPlot
  if (!figure || !image || !uPlot) return
  const sums = times.map(() => 0)
  const stacked = series.map(({ values }) =>
    values.map((value, index) => {
      sums[index] = (sums[index] ?? 0) + value
      return sums[index]
    }),
  )
  const color = colors()
  const plot = document.createElement('div')
  plot.setAttribute('role', 'img')
  plot.setAttribute('aria-label', image.getAttribute('aria-label') ?? '')
  const { width, height } = image.getBoundingClientRect()
  image.replaceWith(plot)
  figure.querySelector('.axis')?.remove()
  const axis = { stroke: color('muted'), grid: { stroke: color('line'), width: 1 }, ticks: { show: false } }
  const bars = series.map(({ className }) => ({
    fill: color(className),
    width: 0,
    paths: uPlot.paths.bars({ size: [0.8, 20] }),
  }))
  new uPlot(
    {
      width,
      height: Math.max(140, height),
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { points: { show: false }, y: false },
      scales: {
        y: {
          range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ max) => [0, Math.max(1, max)],
        },
      },
      axes: [
        {
          ...axis,
          size: 28,
          values: (/** @type {any} */ _, /** @type {number[]} */ marks) =>
            marks.map((mark) => hourAndMinute(mark * 1000)),
        },
        { ...axis, size: 48, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] },
      ],
      series: [{}, ...bars.toReversed()],
      hooks: { setCursor: [(/** @type {any} */ drawn) => describe(figure, { id, times, series }, drawn.cursor.idx)] },
    },
    [times.map((time) => time / 1000), ...stacked.toReversed()],
    plot,
  )
}

/** Shows the values of the minute under the cursor in the legend, or the sums. @param {Element} figure @param {Chart} chart @param {number | null | undefined} index */
function describe(figure, { times, series }, index) {
  const time = figure.querySelector('.when')
  if (time) time.textContent = index == null ? 'per minute; sums of 60' : `${hourAndMinute(times[index] ?? 0)} UTC`
  for (const [place, value] of figure.querySelectorAll('.legend b').entries()) {
    const values = series[place]?.values ?? []
    const shown = index == null ? values.reduce((sum, one) => sum + one, 0) : (values[index] ?? 0)
    value.textContent = shown.toLocaleString('en-US')
  }
}

/** In UTC, the time zone of logs and traces. @param {number} milliseconds */
function hourAndMinute(milliseconds) {
  return new Date(milliseconds).toISOString().slice(11, 16)
}

/** The colors of status.css, for light or dark. */
function colors() {
  const style = getComputedStyle(document.documentElement)
  return (/** @type {string} */ name) => style.getPropertyValue(`--${name}`)
}
