/** THE table of the probe's settings: `PROBE_*`. */
import { admin, authority, type ServerAddress, serverAddress } from '../../proxy/settings/addresses.ts'
import type { Config } from '../../proxy/settings/config.ts'
import type { Documented } from '../../settings/documentation.ts'
import { duration, durationText } from '../../settings/durations.ts'
import { type Environment, isSet } from '../../settings/environment.ts'
import { missing, mistake } from '../../settings/mistakes.ts'
import { type UnknownNames, unknownNames } from '../../settings/names.ts'
import { certificateFile } from '../../settings/pem.ts'
import { anyText, choice, optional, type Reader, type ReadText, wrong } from '../../settings/readers.ts'
import { defined, parse, type Table, type Values, valuesInEffect } from '../../settings/table.ts'
import { type Login, loginIn } from '../conversation/login.ts'
import { isMailbox } from '../conversation/mailbox.ts'

/** The settings in effect. */
export interface ProbeSettings {
  readonly target: ServerAddress
  /** Absent: the probe does not log in. */
  readonly login?: Login
  /** Absent: the probe sends neither MAIL nor RCPT. */
  readonly envelope?: { readonly from: string; readonly to: string }
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly tls: 'verify' | 'required' | 'unverified'
  /** The text of a PEM file: authorities to trust in addition to Node's. */
  readonly authorities?: string
  /** The name that the certificate must have. */
  readonly serverName: string
  /** Absent: no metrics. */
  readonly metrics?: NonNullable<Config['admin']>
}

const mailbox: Reader<string> = (text) =>
  isMailbox(text) ? { value: text } : wrong(text, 'one address such as probe@your-domain.example')

const hostName: Reader<string> = (text) =>
  /^[A-Za-z0-9_.-]{1,253}$/.test(text) ? { value: text } : wrong(text, 'a host name such as smtp.your-domain.example')

const loginFile: Reader<Login> = (path, readText) => {
  const expected = 'a file with the user name on the first line and the password on the second'
  try {
    const login = loginIn(readText?.(path) ?? '')
    return login ? { value: login } : wrong(path, expected)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return wrong(path, `${expected}, which the user of the probe can read (${code})`)
  }
}

const CREDENTIALS = 'Remove the credentials: set PROBE_LOGIN_FILE, or PROBE_USER and PROBE_PASSWORD.'

const SETTINGS = {
  target: {
    variable: 'PROBE_TARGET',
    default: 'smtp://127.0.0.1:2525',
    inImage: 'smtp://proxy:2599',
    meaning:
      'Listener of the proxy that the probe connects to: `smtp://host:port`, or `smtps://host:port` with TLS from the ' +
      'first byte. Give the probe the client name `probe` (`PROXY_LISTEN=smtp://0.0.0.0:2599?client=probe`, or ' +
      '`PROXY_CLIENTS=probe=ADDRESS`), so that figures about mail exclude it.',
    read: serverAddress(CREDENTIALS),
    effective: ({ target }) => `${target.scheme}://${authority(target)}`,
  },
  loginFile: {
    variable: 'PROBE_LOGIN_FILE',
    default: '',
    meaning:
      "File with the probe's user name on the first line and its password on the second. Create separate SMTP " +
      'credentials at AhaSend for the probe. Without a login, the probe does not send AUTH.',
    read: optional(loginFile),
  },
  user: {
    variable: 'PROBE_USER',
    default: '',
    meaning: 'User name, instead of `PROBE_LOGIN_FILE`. Requires `PROBE_PASSWORD`.',
    read: optional(anyText),
    secret: true,
  },
  password: {
    variable: 'PROBE_PASSWORD',
    default: '',
    meaning: 'Password, instead of `PROBE_LOGIN_FILE`. Requires `PROBE_USER`.',
    read: optional(anyText),
    secret: true,
  },
  from: {
    variable: 'PROBE_FROM',
    default: '',
    meaning:
      'Sender in MAIL: an address of a domain that is verified at AhaSend. Without it, the probe sends neither MAIL nor ' +
      'RCPT. The probe never sends a message.',
    read: optional(mailbox),
  },
  to: {
    variable: 'PROBE_TO',
    default: '',
    meaning: 'Recipient in RCPT. The default is the address in `PROBE_FROM`.',
    read: optional(mailbox),
  },
  intervalMs: {
    variable: 'PROBE_INTERVAL',
    default: '1m',
    meaning:
      'Time from the start of one run to the start of the next. SmtpProxyProbeFailing fires after three failed runs.',
    read: duration('10s', '1h'),
    effective: ({ intervalMs }) => durationText(intervalMs),
  },
  timeoutMs: {
    variable: 'PROBE_TIMEOUT',
    default: '30s',
    meaning: 'Time limit for a whole run. At most the interval.',
    read: duration('1s', '5m'),
    effective: ({ timeoutMs }) => durationText(timeoutMs),
  },
  tls: {
    variable: 'PROBE_TLS',
    default: 'verify',
    meaning:
      '`verify`: the probe uses STARTTLS if the proxy offers it, and verifies the certificate. `required`: like `verify`, ' +
      'but the run fails if the proxy does not offer STARTTLS. `unverified`: like `verify`, but the probe accepts any ' +
      'certificate; use it only in a network that you trust.',
    read: choice('verify', 'required', 'unverified'),
    effective: ({ tls }) => tls,
  },
  authorities: {
    variable: 'PROBE_CA_FILE',
    default: '',
    meaning: "PEM file of certificate authorities to trust for the proxy's certificate, in addition to Node's.",
    read: optional(certificateFile),
  },
  serverName: {
    variable: 'PROBE_SERVER_NAME',
    default: '',
    meaning:
      "Name that the proxy's certificate must have, such as `smtp.your-domain.example`. The default is the host in " +
      '`PROBE_TARGET`, which under Compose is `proxy`.',
    read: optional(hostName),
    effective: ({ serverName }) => serverName,
  },
  metrics: {
    variable: 'PROBE_METRICS',
    default: 'http://127.0.0.1:9465',
    inImage: 'http://0.0.0.0:9465',
    meaning:
      "Address of the probe's `/metrics`. `off` = no metrics, and therefore no alerts. Port 0 selects a free port.",
    read: admin,
    effective: ({ metrics }) => (metrics ? `http://${authority(metrics)}` : 'off'),
  },
} satisfies Table<ProbeSettings>

/** The rows in the order in which people read them. */
export const PROBE_ROWS: readonly Documented[] = Object.values(SETTINGS)

const NAMES = PROBE_ROWS.map(({ variable }) => variable)

/** Names in the environment that begin with PROBE_ and are no settings. */
export function unknownProbeNames(env: Environment): UnknownNames {
  return unknownNames(env, NAMES)
}

/** Reads the settings, as `parse` does. */
export function parseProbe(
  env: Environment,
  readText: ReadText,
): { readonly settings: ProbeSettings } | { readonly mistakes: readonly string[] } {
  const check = (values: Partial<ProbeValues>) => [...unknownProbeNames(env).misspelled, ...contradictions(values, env)]
  const parsed = parse(SETTINGS, env, { check, readText })
  return 'mistakes' in parsed ? parsed : { settings: settingsOf(parsed.values) }
}

/** The values in effect by variable, for the start log line, without the login and without addresses. */
export function describeProbe(settings: ProbeSettings): Record<string, string | number | boolean> {
  return valuesInEffect<ProbeSettings>(SETTINGS, settings)
}

type ProbeValues = Values<typeof SETTINGS>

function contradictions({ intervalMs, timeoutMs }: Partial<ProbeValues>, env: Environment): string[] {
  const given = (row: Documented) => isSet(row.variable, env)
  const { loginFile, user, password, from, to, timeoutMs: timeout, intervalMs: interval } = SETTINGS
  const mistakes: string[] = []
  if (given(user) && !given(password)) mistakes.push(missing(password.variable, user.variable, 'a password'))
  if (given(password) && !given(user)) mistakes.push(missing(user.variable, password.variable, 'a user name'))
  if (given(loginFile) && given(user)) {
    const fix = `Unset ${loginFile.variable}, or ${user.variable} and ${password.variable}.`
    mistakes.push(
      mistake(loginFile.variable, { got: 'a second login', expected: `one login: ${user.variable} is set`, fix }),
    )
  }
  if (given(to) && !given(from)) mistakes.push(missing(from.variable, to.variable, 'an address'))
  if (intervalMs !== undefined && timeoutMs !== undefined && timeoutMs > intervalMs) {
    const expected = `at most ${durationText(intervalMs)}, the value of ${interval.variable}`
    const fix = 'Lower the one or raise the other.'
    mistakes.push(mistake(timeout.variable, { got: durationText(timeoutMs), expected, fix }))
  }
  return mistakes
}

function settingsOf(values: ProbeValues): ProbeSettings {
  const { target, loginFile, user, password, from, to, authorities, serverName, metrics, ...others } = values
  const login = loginFile ?? (user && password ? { user, password } : undefined)
  const envelope = from === undefined ? undefined : { from, to: to ?? from }
  return {
    ...others,
    target,
    serverName: serverName ?? target.host,
    ...defined({ login, envelope, authorities: authorities?.pem, metrics }),
  }
}
