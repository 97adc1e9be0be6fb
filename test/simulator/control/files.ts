/** The files that the control page loads. It shares the colors and shapes of the status page. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface PageFile {
  readonly type: string
  readonly body: string
}

const CSS = 'text/css; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'

/** By name. Read when the first page asks: most simulators never show a page. */
export function pageFile(name: string | undefined): PageFile | undefined {
  if (name === 'status.css') return { type: CSS, body: read('../../../status/page/status.css') }
  if (name === 'control.css') return { type: CSS, body: read('control.css') }
  if (name === 'control.js') return { type: SCRIPT, body: read('client.js') }
  return undefined
}

function read(path: string): string {
  return readFileSync(join(import.meta.dirname, path), 'utf8')
}
