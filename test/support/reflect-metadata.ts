/**
 * The three functions of the Reflect metadata proposal that `@peculiar/x509` needs before it can be imported, and
 * nothing more of it. Import this file for its side effect, before that library.
 */

const metadata = new WeakMap<object, Map<unknown, unknown>>()

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const entries = metadata.get(target) ?? new Map<unknown, unknown>()
  metadata.set(target, entries.set(key, value))
}

function getOwnMetadata(key: unknown, target: object): unknown {
  return metadata.get(target)?.get(key)
}

// Inheritance, which the real getMetadata follows, is not used by that library.
if (!('getMetadata' in Reflect)) Object.assign(Reflect, { defineMetadata, getOwnMetadata, getMetadata: getOwnMetadata })
