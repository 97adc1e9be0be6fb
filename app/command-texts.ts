/** What the help and the manual page say about each command. */
import { CHECK_OPTIONS } from './check/arguments.ts'
import type { CommandText } from './commands.ts'
import { PROBE_OPTIONS } from './probe/probe.ts'
import { PROBE_ROWS } from './probe/settings.ts'
import { TAIL_OPTIONS } from './tail.ts'

/** The texts of the commands that every installation has. Those of `rehearsal.ts` are not among them. */
export const COMMAND_TEXTS = {
  run: { name: '', purpose: 'run the proxy' },
  check: {
    name: 'check',
    parameters: '[OPTIONS]',
    purpose: 'find out what would stop mail or telemetry',
    details: CHECK_OPTIONS,
  },
  checkNames: {
    name: 'check-names',
    purpose: 'check only the names of the settings; compose.yaml runs it before the proxy',
    details:
      'It ignores the values, except that of PROXY_ADMIN, which compose.yaml fixes.\n' +
      'Exit code 0 on success, 2 if a name is wrong.',
  },
  tail: {
    name: 'tail',
    parameters: '[OPTIONS]',
    purpose: 'show each command and each message of the running proxy, live',
    details: TAIL_OPTIONS,
  },
  probe: {
    name: 'probe',
    parameters: '[--check-names]',
    purpose: 'test the proxy every minute like an app, and serve metrics',
    details: PROBE_OPTIONS,
    settings: PROBE_ROWS,
  },
  help: {
    name: 'help',
    aliases: ['--help', '-h'],
    parameters: '[all | COMMAND]',
    purpose: 'print this text, every setting (all), or the help of one command',
  },
  version: { name: 'version', aliases: ['--version'], purpose: 'print the version' },
} as const satisfies Readonly<Record<string, CommandText>>
