/** The table of AhaSend's refusals, for the dashboards. */
import { type Actor, actors, meanings } from '../../otel/names/meanings.ts'
import type { AttributesOf } from '../../otel/names/names.ts'

export { type Actor, actors, meanings } from '../../otel/names/meanings.ts'

export type Cause = AttributesOf<'replies'>['smtp.reply.cause']

/** The causes on which this actor must act. */
export function causesOf(actor: Actor): readonly Cause[] {
  return (Object.keys(meanings) as Cause[]).filter((cause) => meanings[cause].actor === actor)
}

/** All causes as a Markdown table. */
export function codesAsMarkdown(): string {
  const rows = Object.entries(meanings).map(
    ([cause, { codes, meaning, actor, action }]) =>
      `| ${onOneLine(codes)} | \`${cause}\` | ${meaning} | **${onOneLine(actors[actor])}** | ${action} |`,
  )
  const header = `| Code | Cause | Meaning at AhaSend | ${onOneLine('Who must act')} | What to do |`
  return [header, '|---|---|---|---|---|', ...rows].join('\n')
}

/** Prevents line breaks: Grafana makes columns with short texts too narrow for them. */
function onOneLine(text: string): string {
  return text.replaceAll(' ', '\u00a0')
}
