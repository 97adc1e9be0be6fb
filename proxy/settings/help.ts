/** The table of settings as people read it: in the terminal and in the README. */
import { type Documented, helpOf, markdownTable } from '../../settings/tables.ts'
import { ROWS } from './table.ts'

const COMMANDS = `Usage: node app/entry.js [check | --help | --version]

  (nothing)   run the proxy
  check       validate the configuration, dial each upstream, verify its certificate;
              exit code 0 or 1, 2 on bad configuration
  --help      this text
  --version   the version

Settings are environment variables, all optional; an empty one counts as unset. Durations are written like
250ms, 10s, 5m or 1m30s.`

const EXIT_CODES = `Exit codes: 0 after a drain; 1 when a listener could not be opened or was lost, after a second signal or a
crash; 2 on bad configuration.`

/** The text of `--help`, at most 110 columns wide. `more` are settings that other rooms read. */
export function helpText(more: readonly Documented[] = []): string {
  return `${[COMMANDS, ...[...ROWS, ...more].map(helpOf), EXIT_CODES].join('\n\n')}\n`
}

/** The README's Markdown table of settings, ending in a newline. */
export function configTable(): string {
  return markdownTable(ROWS)
}
