/** The manual page of the Debian package, from the texts of the commands and from the tables of settings. */
import { COMMAND_TEXTS } from '../../app/command-texts.ts'
import { type CommandText, EXIT_CODES, sentence } from '../../app/commands.ts'
import { REHEARSAL_TEXTS } from '../../app/rehearsal.ts'
import type { Documented, Section } from '../../settings/documentation.ts'
import { entry, line, paragraph, section, subsection, verbatim } from './roff.ts'
import { SECTIONS } from './settings.ts'

const NAME = 'ahasend-smtp-proxy'

const COMMANDS: readonly CommandText[] = [...Object.values(COMMAND_TEXTS), ...REHEARSAL_TEXTS]

const FILES: Readonly<Record<string, string>> = {
  '/etc/ahasend-smtp-proxy/proxy.env':
    'Settings of the service. The commands read this file, too, if they may. Each line is `NAME=value`, without a comment.',
  '/etc/ahasend-smtp-proxy/tls/cert.pem, key.pem':
    'Certificate and key of the listeners, as files or links. Only root needs to be able to read them. After a change, run ' +
    '`systemctl reload ahasend-smtp-proxy`.',
  '/etc/ahasend-smtp-proxy/probe.env': 'Settings of the probe.',
  '/etc/ahasend-smtp-proxy/probe/login':
    'User name and password of the probe, on two lines. Only root needs to be able to read this file.',
  '/usr/share/ahasend-smtp-proxy': 'Dashboards for Grafana, and alerting rules for Prometheus and Grafana.',
}

const UNITS: Readonly<Record<string, string>> = {
  'ahasend-smtp-proxy.service':
    'The proxy. `systemctl reload` reloads the certificate. `systemctl restart` lets in-flight messages finish, and then ' +
    'starts the proxy with the settings in proxy.env.',
  'ahasend-smtp-proxy-probe.service': 'The probe. It is disabled until you enable it.',
}

/** The page, as input for man(7). */
export function manPage(): string {
  return [
    `.\\" Written by \`npm run docs\`.\n.TH ${NAME.toUpperCase().replaceAll('-', '\\-')} 8 "" "${NAME}" "System Manager's Manual"\n`,
    section('Name', line(`${NAME} - SMTP proxy in front of AhaSend, with metrics, traces and alerts`)),
    section('Synopsis', `.B ${NAME.replaceAll('-', '\\-')}\n.RI [ COMMAND ]\n`),
    section('Description', line(WHAT), paragraph(WHERE)),
    section('Commands', ...COMMANDS.map(command)),
    section('Environment', line(SETTINGS_SYNTAX), ...ALL_SETTINGS.map(group)),
    section('Exit status', line(EXIT_CODES.replace('Exit codes: ', '').replaceAll('\n', ' '))),
    section('Units', ...Object.entries(UNITS).map(([name, meaning]) => entry(name, meaning))),
    section('Files', ...Object.entries(FILES).map(([name, meaning]) => entry(name, meaning))),
    section('See also', `.BR systemctl (1),\n.BR journalctl (1)\n`, paragraph(`https://github.com/AhaSend/${NAME}`)),
  ].join('')
}

const WHAT =
  'Apps connect to the proxy instead of send.ahasend.com, and nothing else changes. Every reply code, connection lifetime and ' +
  'message size becomes a metric, and every refused message becomes a trace.'

const WHERE =
  'By default, the proxy listens at 127.0.0.1:2525. The status page and `/metrics` are at http://127.0.0.1:9464.'

const SETTINGS_SYNTAX =
  'All settings are optional, and an empty one counts as unset. Write durations like 250ms, 10s, 5m or 1m30s.'

const ALL_SETTINGS: readonly Section[] = [...SECTIONS.proxy, ...SECTIONS.opentelemetry, ...SECTIONS.probe]

function command({ name, parameters, purpose, details }: CommandText): string {
  const synopsis = [name || '(nothing)', parameters].filter(Boolean).join(' ')
  return entry(synopsis, sentence(purpose)) + (details === undefined ? '' : `.RS\n${verbatim(details)}.RE\n`)
}

function group({ title, about, rows }: Section): string {
  return subsection(title, line(about), ...rows.map(setting))
}

function setting(row: Documented): string {
  return entry(row.variable, row.meaning) + (row.default === '' ? '' : `.br\n${line(`Default: \`${row.default}\``)}`)
}
