/** The environment, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Whether a variable has a value. An empty or blank one counts as unset. */
export function isSet(variable: string, env: Environment): boolean {
  return (env[variable] ?? '').trim() !== ''
}
