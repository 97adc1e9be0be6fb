/** The settings files of the Debian package, in the format of `EnvironmentFile=` of systemd. */
import type { Documented, Section } from '../../settings/documentation.ts'
import { envExample } from './env-example.ts'
import { SECTIONS } from './settings.ts'

/** Where the units find the files in /etc/ahasend-smtp-proxy that only root can read. */
const IN_UNITS: Readonly<Record<string, string>> = {
  PROXY_TLS_CERT_FILE: '/run/ahasend-smtp-proxy/cert.pem',
  PROXY_TLS_KEY_FILE: '/run/ahasend-smtp-proxy/key.pem',
  PROBE_LOGIN_FILE: '/run/credentials/ahasend-smtp-proxy-probe.service/probe_login',
  PROBE_CA_FILE: '/run/credentials/ahasend-smtp-proxy-probe.service/probe_ca.pem',
}

/** The settings of the proxy. */
export function proxyEnv(): string {
  return settingsFile('ahasend-smtp-proxy', PROXY_NOTES, [...SECTIONS.proxy, ...SECTIONS.opentelemetry])
}

/** The settings of the probe. */
export function probeEnv(): string {
  const about = 'The probe starts only with `systemctl enable --now ahasend-smtp-proxy-probe`.'
  return settingsFile(
    'ahasend-smtp-proxy-probe',
    PROBE_NOTES,
    SECTIONS.probe.map((section) => ({ ...section, about })),
  )
}

const PROXY_NOTES = `# For a certificate, put cert.pem and key.pem into /etc/ahasend-smtp-proxy/tls, where only root needs to be able to read
# them, and remove the # before PROXY_TLS_CERT_FILE and PROXY_TLS_KEY_FILE below. After a renewal of the certificate, run
# \`systemctl reload ahasend-smtp-proxy\`.
`

const PROBE_NOTES = `# For a login, write the user name and the password to two lines of the file login in /etc/ahasend-smtp-proxy/probe, and
# remove the # before PROBE_LOGIN_FILE below. For a private authority, put its PEM file there as ca.pem, and remove the #
# before PROBE_CA_FILE. Only root needs to be able to read both. systemd ignores links in this directory.
`

function settingsFile(unit: string, notes: string, sections: readonly Section[]): string {
  const head = `# Settings of ${unit}.service. Lines that begin with # are comments: they show the defaults. After a change, run
# \`systemctl restart ${unit}\`. A comment after a value would be a part of the value.
#
${notes}`
  return [head, ...sections.map(({ rows, ...section }) => envExample({ ...section, rows: rows.map(onHost) }))].join(
    '\n',
  )
}

/** A setting without its value in the container image. */
function onHost({ inImage: _, ...row }: Documented): Documented {
  return { ...row, default: IN_UNITS[row.variable] ?? row.default }
}
