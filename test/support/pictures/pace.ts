/** How fast the pictures' time passes. */

/** The proxy's clock runs this many times as fast as the real one. */
export const SPEED = 30

/** Real time of calm traffic before a picture: 45 minutes by the proxy's clock. */
export const HISTORY_MS = 90_000

/** Real time of an incident before its picture: 3 minutes by the proxy's clock. */
export const INCIDENT_MS = 6000
