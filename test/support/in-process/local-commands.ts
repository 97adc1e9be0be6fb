/** A command that the proxy answers with a local reply, which is ten times as long. */
export const TURN = 'TURN\r\n'
