/** The program of the demo and the rehearsal. In a bundle, this module is replaced by one with the file next to the bundle. */

/** Undefined in the sources: `npm run demo` and `npm run rehearsal` are programs of their own. */
export const REHEARSAL_FILE: string | undefined = undefined
