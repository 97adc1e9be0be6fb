/** The progress of a long measurement, on standard error, so that standard output has only its result. */

/** How often a line is printed, in milliseconds. */
const EVERY_MS = 2000

/**
 * Returns a function that takes the number of units done and prints it, at most every two seconds. After Ctrl-C, prints how
 * many were done and exits with 130. Call it once in a process.
 */
export function showProgress(unit: string, total: number): (done: number) => void {
  const began = performance.now()
  let [last, printed] = [0, Number.NEGATIVE_INFINITY]
  const seconds = () => `${((performance.now() - began) / 1000).toFixed(0)} s`
  process.once('SIGINT', () => {
    console.error(`interrupted after ${seconds()}: ${last} of ${total} ${unit} done`)
    process.exit(130)
  })
  return (done) => {
    last = done
    if (performance.now() - printed < EVERY_MS) return
    printed = performance.now()
    console.error(`${done} of ${total} ${unit}, ${seconds()}`)
  }
}
