/** A command that the proxy answers itself. Its reply is ten times as long. */
export const TURN = 'TURN\r\n'
