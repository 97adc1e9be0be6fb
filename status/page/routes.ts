/** The status page and its parts, by path, for the admin server. */
import type { Page, Stream } from '../../proxy/admin/admin.ts'
import type { StatusReport } from '../report.ts'
import { assets } from './assets.ts'
import { chartsOf, statusContent, statusPage, titleOf } from './page.ts'

/** How often a page that is open gets news. */
const UPDATE_MS = 2000

/** `/`, `/status.json` and the files that the page loads. `report` makes the report of this moment. */
export function statusPages(report: () => Promise<StatusReport>): ReadonlyMap<string, () => Page | Promise<Page>> {
  const files = [...assets].map(([path, asset]) => [path, () => asset] as const)
  return new Map<string, () => Page | Promise<Page>>([
    ['/', async () => ({ type: 'text/html; charset=utf-8', body: statusPage(await report()) })],
    [
      '/status.json',
      async () => ({ type: 'application/json; charset=utf-8', body: `${JSON.stringify(await report())}\n` }),
    ],
    ...files,
  ])
}

/** `/events`: what changes on an open page, as server-sent events. Nothing is computed while no page is open. */
export function statusStreams(report: () => Promise<StatusReport>, everyMs = UPDATE_MS): ReadonlyMap<string, Stream> {
  const readers = new Set<(text: string) => void>()
  let timer: NodeJS.Timeout | undefined
  const update = async (to: Iterable<(text: string) => void>) => {
    const text = eventOf(await report())
    for (const send of to) send(text)
  }
  const stream: Stream = ({ send }) => {
    readers.add(send)
    timer ??= setInterval(() => void update(readers), everyMs)
    void update([send])
    return () => {
      readers.delete(send)
      if (readers.size > 0) return
      clearInterval(timer)
      timer = undefined
    }
  }
  return new Map([['/events', stream]])
}

function eventOf(report: StatusReport): string {
  const update = { title: titleOf(report), main: statusContent(report).text, charts: chartsOf(report) }
  return `event: status\ndata: ${JSON.stringify(update)}\n\n`
}
