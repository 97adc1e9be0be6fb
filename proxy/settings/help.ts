import { type Documented, helpEntries } from '../../settings/documentation.ts'
import { ROWS } from './table.ts'

const COMMANDS = `Usage: node app/entry.js [check | tail [arguments] | --help | --version]

  (nothing)   run the proxy
  check       validate the configuration, connect to each upstream and verify its certificate;
              exit code 0 on success, 1 on failure, 2 on a bad configuration
  tail        print a line for each command and each message of the running proxy, as it happens; arguments
              select lines by app, reply code, cause, outcome and time: see tail --help
  --help      print this text
  --version   print the version

Settings are environment variables. All are optional, and an empty one counts as unset. Write durations like
250ms, 10s, 5m or 1m30s.`

const EXIT_CODES = `Exit codes: 0 after a drain; 1 if a listener cannot be opened or is lost, after a second signal, or after a
crash; 2 on a bad configuration.`

/** The text of `--help`, at most 110 columns wide. `more` are settings that other modules read. */
export function helpText(more: readonly Documented[] = []): string {
  return `${[COMMANDS, helpEntries([...ROWS, ...more]), EXIT_CODES].join('\n\n')}\n`
}
