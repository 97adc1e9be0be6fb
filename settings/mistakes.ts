/** The messages about settings, and what of a value they may quote. */

/** One thing that is wrong with a setting, ready to print. */
export interface Fault {
  /** The part that is wrong, without anything that could be a secret: see `shown`. */
  readonly got: string
  /** What is accepted instead. */
  readonly expected: string
  /** What to do, in full sentences, if `expected` is not enough. */
  readonly fix?: string
}

/** The message that people read: the variable, its value, what is expected, what to do. */
export function mistake(variable: string, { got, expected, fix }: Fault, ifUnset?: string): string {
  const otherwise = ifUnset === undefined ? 'Correct it, or unset it.' : `Correct it, or unset it to use ${ifUnset}.`
  return `${variable}: got ${got}, expected ${expected}. ${fix ?? otherwise}`
}

/** The message that a variable is not set although another one is. `what`: the kind of value that is expected. */
export function missing(variable: string, other: string, what: string): string {
  return mistake(variable, {
    got: 'nothing',
    expected: `${what}, because ${other} is set`,
    fix: 'Set both or neither.',
  })
}

/** Longest part of a value that a message quotes, in characters. Arbitrary: a few addresses long. */
const MAX_SHOWN = 120

/**
 * A value as messages may quote it. Leaves out what could be a secret: credentials and unknown parameters of a URL, and
 * a certificate or key that was given instead of its path.
 */
export function shown(text: string): string {
  if (isContent(text)) return '(several lines, not shown)'
  if (/^[A-Za-z0-9+][A-Za-z0-9+/=]{63,}$/.test(text)) return `(${text.length} characters, not shown)`
  const isPath = /^\.{0,2}\//.test(text)
  const harmless = isPath ? text : withoutCredentials(text)
  return JSON.stringify(harmless.length > MAX_SHOWN ? `${harmless.slice(0, MAX_SHOWN)}...` : harmless)
}

/** Whether a text is the content of a file instead of its path. */
export function isContent(text: string): boolean {
  return /-----BEGIN|[\r\n\0]/.test(text)
}

function withoutCredentials(text: string): string {
  return text.replace(/^([^/]*:\/\/)?.*@/, '$1***@').replace(/([?&](?!tls=|starttls=|client=)[^=&]*=)[^&]*/g, '$1***')
}

/** A URL as log lines may quote it: without credentials, keys in the path and the values of parameters. */
export function shownUrl(url: string): string {
  return JSON.parse(shown(withoutKeys(url))) as string
}

/** A URL without long parts of its path. Twenty is arbitrary: some receivers have the key there, and words are shorter. */
export function withoutKeys(url: string): string {
  return url.replace(/(?<=[^:/]\/)[^/?#]{20,}/g, '***')
}
