/** The arguments of the `check` command. Pure. */
import { isMailbox } from '../conversation/mailbox.ts'

/** The options, for the help of the command. */
export const CHECK_OPTIONS = `It checks settings, listeners, certificate, DNS, upstreams, OTLP receivers, clock, open files and alert receivers.
Exit code 0 on success, 1 if a step failed, 2 on a bad configuration or bad arguments.

  --login-file FILE   log in at each upstream with the user name and the password on two lines of FILE.
                      You can set PROXY_CHECK_USER and PROXY_CHECK_PASSWORD instead. The password is never
                      printed
  --to ADDRESS        send a message for AhaSend's sandbox to ADDRESS, and print the dialogue
  --from ADDRESS      its sender; without it, the address of --to
  --real              make it a real message, which AhaSend delivers
  --json              print one JSON document`

/** The options of one run. */
export interface Options {
  /** A file with the user name and the password on two lines. */
  readonly loginFile?: string
  /** The recipient of a test message. */
  readonly to?: string
  readonly from?: string
  /** True sends a real message instead of one for the sandbox. */
  readonly real: boolean
  readonly json: boolean
}

const WITH_VALUE = { '--login-file': 'a FILE', '--to': 'an ADDRESS', '--from': 'an ADDRESS' } as const
const FLAGS = ['--real', '--json'] as const
const EXPECTED = 'expected --login-file FILE, --to ADDRESS, --from ADDRESS, --real or --json'

type Given = ReadonlyMap<string, string>

/** The options, or everything that is wrong with the arguments. No message quotes the value of an unknown argument. */
export function readArguments(args: readonly string[]): Options | { readonly mistakes: readonly string[] } {
  const { given, mistakes } = split(args)
  const all = [...mistakes, ...contradictions(given)]
  if (all.length > 0) return { mistakes: all }
  const [loginFile, to, from] = [given.get('--login-file'), given.get('--to'), given.get('--from')]
  return {
    ...(loginFile !== undefined && { loginFile }),
    ...(to !== undefined && { to }),
    ...(from !== undefined && { from }),
    real: given.has('--real'),
    json: given.has('--json'),
  }
}

function split(args: readonly string[]): { readonly given: Given; readonly mistakes: readonly string[] } {
  const given = new Map<string, string>()
  const mistakes: string[] = []
  const rest = [...args]
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const [name = '', inline] = splitOnce(argument)
    if (isFlag(name) && inline === undefined) given.set(name, '')
    else if (!hasValue(name)) mistakes.push(unknown(name))
    else {
      const value = inline ?? (rest[0]?.startsWith('--') ? undefined : rest.shift())
      if (value) given.set(name, value)
      else mistakes.push(`check: ${name} has no value: expected ${WITH_VALUE[name]} after it.`)
    }
  }
  return { given, mistakes }
}

function splitOnce(argument: string): readonly (string | undefined)[] {
  const at = argument.startsWith('--') ? argument.indexOf('=') : -1
  return at < 0 ? [argument] : [argument.slice(0, at), argument.slice(at + 1)]
}

function isFlag(name: string): name is (typeof FLAGS)[number] {
  return FLAGS.some((flag) => flag === name)
}

function hasValue(name: string): name is keyof typeof WITH_VALUE {
  return Object.hasOwn(WITH_VALUE, name)
}

function unknown(name: string): string {
  const advice = /pass|user|login/i.test(name)
    ? ' Other users can read arguments: put the user name and the password on two lines of a file.'
    : ''
  return `check: unknown argument ${name}: ${EXPECTED}.${advice}`
}

function contradictions(given: Given): string[] {
  const withoutTo = ['--from', '--real'].filter((name) => given.has(name) && !given.has('--to'))
  const addresses = (['--to', '--from'] as const).filter((name) => given.has(name) && !isMailbox(given.get(name)))
  return [
    ...withoutTo.map((name) => `check: ${name} has no effect: expected --to ADDRESS as well.`),
    ...addresses.map((name) => `check: ${name}: expected one address such as you@your-domain.example.`),
  ]
}
