/** The licenses of all packages of package-lock.json: also of those that only develop and test the project. */
import { ALLOWED } from '../bundle/licenses.ts'

/** Allowed for packages that are not distributed: their source stays as it is. */
export const ALLOWED_IN_DEVELOPMENT: readonly string[] = [...ALLOWED, 'BlueOak-1.0.0', 'MPL-2.0', 'Unlicense']

/** Packages that do not state their license in package.json in the form of today, with the license in their LICENSE file. */
export const STATED_ELSEWHERE: Readonly<Record<string, string>> = {
  'node_modules/buildcheck': 'MIT',
  'node_modules/cpu-features': 'MIT',
  'node_modules/ssh2': 'MIT',
}

/** The part of package-lock.json that is read. */
export interface Lock {
  readonly packages: Readonly<Record<string, { readonly license?: string; readonly integrity?: string }>>
}

/** Every package whose license is not allowed, as one sentence each. */
export function mistakesOfLicenses({ packages }: Lock): string[] {
  return Object.entries(packages).flatMap(([folder, { license = STATED_ELSEWHERE[folder] ?? '' }]) =>
    isAllowed(license) ? [] : [`${folder} has the license ${license || '(none)'}: it is not in ALLOWED_IN_DEVELOPMENT`],
  )
}

/** An SPDX expression: with OR, one license must be allowed; with AND, all. No package uses both. */
function isAllowed(expression: string): boolean {
  const licenses = expression.replaceAll(/[()]/g, '').split(/ (?:OR|AND) /)
  const allowed = (license: string) => ALLOWED_IN_DEVELOPMENT.includes(license)
  return expression.includes(' AND ') ? licenses.every(allowed) : licenses.some(allowed)
}
