/** The exit codes of the process. docs/troubleshooting.md documents them. */
export const EXIT = { ok: 0, failed: 1, misconfigured: 2 } as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
