/** The table of settings as people read it: in the terminal and in the README. */
import { ROWS, type Setting } from './config-table.ts'

const COMMANDS = `Usage: node proxy/main.ts [check | --help | --version]

  (nothing)   run the proxy
  check       validate the configuration, dial each upstream, verify its certificate;
              exit code 0 or 1, 2 on bad configuration
  --help      this text
  --version   the version

Settings are environment variables, all optional; an empty one counts as unset. Durations are written like
250ms, 10s, 5m or 1m30s.`

const OTEL = `OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and OTEL_SDK_DISABLED are read as OpenTelemetry specifies
them; the other OTEL_* variables have no effect yet.

Exit codes: 0 after a drain; 1 when a listener could not be opened or was lost, after a second signal or a
crash; 2 on bad configuration.`

/** The text of `--help`, at most 110 columns wide. */
export function helpText(): string {
  return `${[COMMANDS, ...ROWS.map(helpOf), OTEL].join('\n\n')}\n`
}

function helpOf(row: Setting<unknown>): string {
  const image = row.inImage === undefined ? '' : ` (container image: ${row.inImage})`
  const byDefault = row.default === '' ? '' : `Default: ${row.default}${image}`
  const lines = [...wrapped(row.meaning.replaceAll('`', '')), ...(byDefault === '' ? [] : [byDefault])]
  return [row.variable, ...lines.map((line) => `    ${line}`)].join('\n')
}

const HELP_WIDTH = 106

function wrapped(text: string): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trimStart()
    if (longer.length <= HELP_WIDTH) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

/** The README's Markdown table of settings, ending in a newline. */
export function configTable(): string {
  const rows = ROWS.map(({ variable, meaning, ...row }) => `| \`${variable}\` | ${defaultCell(row)} | ${meaning} |`)
  return `${['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n')}\n`
}

function defaultCell(row: Pick<Setting<unknown>, 'default' | 'inImage'>): string {
  const image = row.inImage === undefined ? '' : ` (image: \`${row.inImage}\`)`
  return row.default === '' ? '' : `\`${row.default}\`${image}`
}
