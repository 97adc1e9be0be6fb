/**
 * A dashboard: rows of panels under headings, with the settings that all four dashboards share.
 *
 * Each row has a file in the folder of its dashboard. For a new panel, define it there, add it to `panels` of the row and run
 * `npm run dashboards`. test/dashboards/boards/live.test.ts must see data in each of its queries.
 */
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard'
import type { DashboardUid } from '../alerts/alert.ts'
import type { Panel } from '../panels/panels.ts'
import { annotations, variables } from '../panels/variables.ts'

/** All four dashboards have this tag; the links between them select by it. */
const TAG = 'ahasend-smtp-proxy'

/** The columns of Grafana's grid; one grid row is 38 pixels high. */
const COLUMNS = 24

export interface Row {
  /** The question that these panels answer. */
  readonly heading: string
  readonly height: number
  /** Panels with their widths in columns. A panel that does not fit starts a new line. */
  readonly panels: readonly (readonly [width: number, panel: Panel])[]
}

export interface Contents {
  readonly uid: DashboardUid
  readonly title: string
  /** The question that the dashboard answers. */
  readonly question: string
  readonly rows: readonly Row[]
}

/** Builds a dashboard in the classic model, which Grafana 10 to 13 load. */
export function dashboard({ uid, title, question, rows }: Contents): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(question)
    .tags([TAG])
    .readonly()
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .links([linkToOtherDashboards()])
    .variables(variables())
    .annotations(annotations())
  new Layout(builder).add(rows)
  return builder.build()
}

function linkToOtherDashboards(): DashboardLinkBuilder {
  return new DashboardLinkBuilder('AhaSend SMTP proxy')
    .type(DashboardLinkType.Dashboards)
    .tags([TAG])
    .asDropdown(false)
    .includeVars(true)
    .keepTime(true)
}

/** Sets the ids and positions of panels: Grafana requires them and its SDK does not set them. */
class Layout {
  readonly #builder: DashboardBuilder
  #id = 0
  #y = 0

  constructor(builder: DashboardBuilder) {
    this.#builder = builder
  }

  add(rows: readonly Row[]): void {
    for (const row of rows) {
      const heading = new RowBuilder(row.heading).id(this.#nextId())
      this.#builder.withRow(heading.gridPos({ x: 0, y: this.#y, w: COLUMNS, h: 1 }))
      this.#y += 1
      this.#fill(row)
    }
  }

  #fill({ height: h, panels }: Row): void {
    let x = 0
    for (const [w, panel] of panels) {
      if (x + w > COLUMNS) {
        x = 0
        this.#y += h
      }
      panel.id(this.#nextId())
      panel.gridPos({ x, y: this.#y, w, h })
      this.#builder.withPanel(panel)
      x += w
    }
    this.#y += h
  }

  #nextId(): number {
    this.#id += 1
    return this.#id
  }
}
