/** The dashboard about refusals. */
import { dashboards } from '../../alerts/alert.ts'
import { codesAsMarkdown } from '../../panels/codes.ts'
import { text } from '../../panels/panels.ts'
import { dashboard, type Row } from '../dashboard.ts'
import { history } from './history.ts'
import { kinds } from './kinds.ts'
import { probe } from './probe.ts'
import { summary } from './summary.ts'

const codesTable = text({
  title: 'What each code means at AhaSend, and who must act',
  description: "According to AhaSend's documentation. At other providers, these codes can have other meanings.",
  content: codesAsMarkdown(),
})

const codes: Row = {
  heading: 'What do the codes mean?',
  height: 32,
  panels: [[24, codesTable]],
}

export const refusals = dashboard({
  uid: dashboards.refusals,
  title: 'AhaSend: refusals',
  question:
    'Who refuses what: which command, with which code, for which app? What does it mean at AhaSend, and who must act?',
  rows: [summary, kinds, history, probe, codes],
})
