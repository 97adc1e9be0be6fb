/** Returns a function that calls `make` once per argument, and returns the same object for it each time. */
export function memo<Argument, Result extends object>(
  make: (argument: Argument) => Result,
): (argument: Argument) => Result {
  const results = new Map<Argument, Result>()
  return (argument) => {
    const known = results.get(argument)
    if (known) return known
    const made = make(argument)
    results.set(argument, made)
    return made
  }
}
