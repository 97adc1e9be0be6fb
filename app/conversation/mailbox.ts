/**
 * True for an address as it may stand in MAIL FROM, RCPT TO and in a header, without SMTPUTF8 and quoted local parts: it
 * cannot end the command.
 */
export function isMailbox(text = ''): boolean {
  return text.length <= 254 && /^[!#-'*+\-./0-9=?A-Z^_`a-z{|}~]+@[A-Za-z0-9.-]+$/.test(text)
}
