/** What is compared: a program between the load and the upstream. */
import type { Started } from '../processes/process.ts'

/** How the upstream is reached. */
export type Security = 'plain' | 'tls'

/** The upstream that a contender is started for. */
export interface Upstream {
  readonly security: Security
  /** Plain text, or STARTTLS with `tls`. */
  readonly port: number
  /** TLS from the first byte, for programs that do not speak STARTTLS. The same as `port` in plain text. */
  readonly implicitPort: number
  /** The authority of the upstream's certificate, and the certificate's name. */
  readonly caFile: string
  readonly name: string
}

/** What a contender may use. */
export interface Surroundings {
  readonly upstream: Upstream
  /** An empty folder for its configuration. It is deleted at the end. */
  readonly folder: string
  /** The port of an OTLP receiver. */
  readonly collectorPort: number
  /** Settings of the proxy from `--set`. */
  readonly settings: Readonly<Record<string, string>>
  /** The folder for CPU profiles of the proxy. */
  readonly profiles: string | undefined
  /** Options for Node programs. */
  readonly nodeOptions: readonly string[]
}

export interface Running {
  readonly port: number
  /** Undefined for a direct connection. */
  readonly program: Started | undefined
  /** True for a Node program that was started with the `nodeOptions`. */
  readonly isNode?: boolean
  /** Other programs that it needs. Their CPU time does not count. */
  readonly helpers?: readonly Started[]
}

export interface Contender {
  /** As in `--against`. */
  readonly id: string
  readonly title: string
  /** Our own variants and the direct connection run in every comparison. */
  readonly role: 'direct' | 'ours' | 'peer'
  /** Why it cannot have an upstream of this kind; a security that is missing here is possible. */
  readonly cannot?: Readonly<Partial<Record<Security, string>>>
  /** Why it cannot run on this machine, with the Debian package that is missing. */
  missing(): string | undefined | Promise<string | undefined>
  start(surroundings: Surroundings): Promise<Running>
}

/**
 * The contenders that CPU time is compared with: the least that a proxy in Node can cost. A bare pipe in plain text; with TLS
 * the prototype, because a pipe has no TLS.
 */
export const FLOORS: Readonly<Record<Security, string>> = { plain: 'pipe', tls: 'prototype' }

/** The sentence about a program that is not installed. */
export function needs(found: boolean, debianPackage: string): string | undefined {
  return found ? undefined : `not installed (Debian: apt-get install ${debianPackage})`
}
