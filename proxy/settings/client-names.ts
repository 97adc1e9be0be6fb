/** The names of apps, the values of the label `smtp.client.name`: from PROXY_CLIENTS and from listeners (`?client=`). */
import type { Fault } from '../../settings/mistakes.ts'
import type { Config } from './config.ts'

/** Every name is a value of a metric label. A hundred still fit on a dashboard that people can read. */
export const MAX_CLIENT_NAMES = 100

/** What is wrong with a name, or undefined. `form`: how the setting writes a name, such as `name=network`. */
export function faultOfName(name: string, form: string): Omit<Fault, 'got'> | undefined {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) {
    return { expected: `${form}, with a name of 1 to 64 letters, digits, dots, hyphens and underscores` }
  }
  if (name.toLowerCase() !== 'other') return undefined
  return { expected: 'another name', fix: 'The proxy uses the name `other` for clients that match no network.' }
}

/** The names that the configuration gives to clients, each once, without `other`. */
export function clientNames({ clients, listeners }: Pick<Config, 'clients' | 'listeners'>): readonly string[] {
  const ofListeners = listeners.flatMap(({ client }) => (client === undefined ? [] : [client]))
  return [...new Set([...clients.map(({ name }) => name), ...ofListeners])]
}
