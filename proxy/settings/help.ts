import { type Documented, helpEntries } from '../../settings/documentation.ts'
import { ROWS } from './table.ts'

const COMMANDS = `Usage: node app/entry.js [check [OPTIONS] | --help | --version]

  (nothing)   run the proxy
  check       find out what would stop mail or telemetry: settings, listeners, certificate, DNS, upstreams,
              OTLP receivers, clock, open files and alert receivers;
              exit code 0 on success, 1 if a step failed, 2 on a bad configuration or bad arguments
  --help      print this text
  --version   print the version

Options of check:

  --login-file FILE   log in at each upstream with the user name and the password on two lines of FILE.
                      You can set PROXY_CHECK_USER and PROXY_CHECK_PASSWORD instead. The password is never
                      printed
  --to ADDRESS        send a message for AhaSend's sandbox to ADDRESS, and print the dialogue
  --from ADDRESS      its sender; without it, the address of --to
  --real              make it a real message, which AhaSend delivers
  --json              print one JSON document

Settings are environment variables. All are optional, and an empty one counts as unset. Write durations like
250ms, 10s, 5m or 1m30s.`

const EXIT_CODES = `Exit codes: 0 after a drain; 1 if a listener cannot be opened or is lost, after a second signal, or after a
crash; 2 on a bad configuration.`

/** The text of `--help`, at most 110 columns wide. `more` are settings that other modules read. */
export function helpText(more: readonly Documented[] = []): string {
  return `${[COMMANDS, helpEntries([...ROWS, ...more]), EXIT_CODES].join('\n\n')}\n`
}
