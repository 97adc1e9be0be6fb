/** The files that the page loads, read once. The only module of the page that reads files: a bundle replaces it. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(import.meta.url)

export interface Asset {
  readonly type: 'text/css; charset=utf-8' | 'text/javascript; charset=utf-8'
  readonly body: string
}

/** By path below the page. */
export const assets: ReadonlyMap<string, Asset> = new Map<string, Asset>([
  ['/status.css', css(own('status.css'))],
  ['/status.js', script(own('client.js'))],
  ['/uplot.css', css(require.resolve('uplot/dist/uPlot.min.css'))],
  ['/uplot.js', script(require.resolve('uplot/dist/uPlot.iife.min.js'))],
])

function own(file: string): string {
  return join(import.meta.dirname, file)
}

function css(file: string): Asset {
  return { type: 'text/css; charset=utf-8', body: readFileSync(file, 'utf8') }
}

function script(file: string): Asset {
  return { type: 'text/javascript; charset=utf-8', body: readFileSync(file, 'utf8') }
}
