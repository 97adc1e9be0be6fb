import { REMOVED_KEYWORDS, REMOVED_MECHANISMS } from './smtp/ehlo.ts'

/**
 * All that the proxy changes in what passes, for the status page and the README. Everything else passes byte for byte, in
 * both directions.
 */
export const CHANGES: readonly string[] = [
  'It speaks EHLO, STARTTLS and TLS to the upstream before the client hears the greeting; the client gets the ' +
    "upstream's own greeting and the list of extensions that the upstream shows inside TLS.",
  'In the EHLO reply it adds STARTTLS while the client is in the clear and the listener has a certificate, and removes ' +
    'it otherwise.',
  `In the EHLO reply it removes ${REMOVED_KEYWORDS.join(', ')}; REQUIRETLS in the clear; BINARYMIME without CHUNKING; ` +
    'AUTH before TLS on a listener with ?starttls=required.',
  `In the AUTH line it removes ${REMOVED_MECHANISMS.join(', ')}, *-PLUS and GS2-*.`,
  'It answers STARTTLS itself where it offers it, refuses XCLIENT, XFORWARD, TURN, ATRN and BURL with 502, and ends HTTP ' +
    'requests with 554.',
  'Replies go down whole: one that the upstream leaves unfinished is dropped, and the close is passed on.',
  'It says 421 in its own name when there is no trusted upstream, at its limits, when a session is idle and when it ' +
    'stops: before or between mails, never in answer to the end of a message.',
]
