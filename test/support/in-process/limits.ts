/** Limits of a session that tests expect exactly. Their reasons are with the constants in the product. */

/** Commands without a reply at which the proxy stops reading the client. */
export const MAX_OWED_REPLIES = 1000
