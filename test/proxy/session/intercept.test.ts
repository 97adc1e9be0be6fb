/** Which commands the proxy answers itself, in which state. Everything else goes to the upstream. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type InterceptState, intercept, taints } from '../../../proxy/session/intercept.ts'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import type { ClientSecurity } from '../../../proxy/smtp/ehlo.ts'
import { LOCAL_REPLIES, type LocalReplyName } from '../../support/in-process/local-replies.ts'
import { latin1 } from '../../support/sockets/segmentation.ts'

type Answer = LocalReplyName | 'upgrade' | 'relayed'

const TLS: InterceptState = {
  security: 'tls',
  upstreamRefused: false,
  tainted: false,
  ehloOwed: false,
  mayDrain: false,
  mayDrainLater: false,
}
const CLEAR: InterceptState = { ...TLS, security: 'plain' }
const OFFERED: InterceptState = { ...TLS, security: 'starttls-offered' }
const REQUIRED: InterceptState = { ...TLS, security: 'starttls-required' }
const SECURITIES: readonly ClientSecurity[] = ['tls', 'plain', 'starttls-offered', 'starttls-required']

function answerTo(line: string, state: InterceptState): Answer {
  const answer = intercept(latin1(`${line}\r\n`), state)?.answer
  if (answer === undefined) return 'relayed'
  if (answer === 'upgrade') return answer
  const names = Object.keys(LOCAL_REPLIES) as LocalReplyName[]
  return names.find((name) => LOCAL_REPLIES[name] === answer) ?? assert.fail('a reply that is on no list')
}

/** Every kind of line. In an ordinary session the proxy answers none of them. */
const ORDINARY = [
  'EHLO app',
  'HELO app',
  'LHLO app',
  'AUTH PLAIN x',
  'MAIL FROM:<a@b>',
  'RCPT TO:<a@b>',
  'DATA',
  'BDAT 5 LAST',
  'RSET',
  'NOOP',
  'VRFY x',
  'EXPN x',
  'HELP',
  'QUIT',
  'ETRN x',
  'SEND FROM:<a@b>',
  'FOO bar',
  ' STARTTLS',
  '',
]

const BLOCKED = ['XCLIENT ADDR=192.0.2.1', 'XFORWARD NAME=x', 'TURN', 'ATRN x', 'BURL imap://x LAST']

interface Case {
  readonly what: string
  readonly state: InterceptState
  readonly lines: readonly string[]
  readonly answer: Answer
}

const CASES: readonly Case[] = [
  ...[TLS, CLEAR, OFFERED].map((state) => ({
    what: `an ordinary session is relayed (${state.security})`,
    state,
    lines: ORDINARY,
    answer: 'relayed' as const,
  })),
  ...SECURITIES.map((security) => ({
    what: `a command that would give trust to the client is blocked (${security})`,
    state: { ...TLS, security },
    lines: [...BLOCKED, ...BLOCKED.map((line) => line.toLowerCase())],
    answer: 'BLOCKED' as const,
  })),
  ...SECURITIES.map((security) => ({
    what: `an HTTP request ends the session (${security})`,
    state: { ...TLS, security },
    lines: ['GET / HTTP/1.1', 'POST /x HTTP/1.1', 'CONNECT x:25 HTTP/1.1'],
    answer: 'HTTP' as const,
  })),
  {
    what: 'STARTTLS begins TLS, in upper and lower case',
    state: OFFERED,
    lines: ['STARTTLS', 'starttls', 'StartTLS', 'STARTTLS \t'],
    answer: 'upgrade',
  },
  { what: 'STARTTLS begins TLS where it is required', state: REQUIRED, lines: ['STARTTLS'], answer: 'upgrade' },
  {
    what: 'STARTTLS takes no argument',
    state: OFFERED,
    lines: ['STARTTLS now', 'starttls\tx'],
    answer: 'STARTTLS_ARGUMENT',
  },
  {
    what: 'STARTTLS is refused after a command that would survive it',
    state: { ...OFFERED, tainted: true },
    lines: ['STARTTLS'],
    answer: 'STARTTLS_REFUSED',
  },
  {
    what: 'STARTTLS is refused inside TLS',
    state: TLS,
    lines: ['STARTTLS', 'STARTTLS now'],
    answer: 'STARTTLS_REFUSED',
  },
  {
    what: 'STARTTLS without a certificate is relayed',
    state: CLEAR,
    lines: ['STARTTLS', 'STARTTLS x'],
    answer: 'relayed',
  },
  {
    what: 'where TLS is required, mail before TLS is refused',
    state: REQUIRED,
    lines: ORDINARY.filter((line) => !/^(EHLO|HELO|RSET|NOOP|VRFY|HELP|QUIT)/.test(line)),
    answer: 'STARTTLS_FIRST',
  },
  {
    what: 'and the rest is relayed',
    state: REQUIRED,
    lines: ['EHLO app', 'HELO app', 'RSET', 'NOOP', 'VRFY x', 'HELP', 'QUIT'],
    answer: 'relayed',
  },
  ...SECURITIES.map((security) => ({
    what: `after a greeting that refuses, every other command than QUIT is refused (${security})`,
    state: { ...TLS, security, upstreamRefused: true },
    lines: [...ORDINARY.filter((line) => line !== 'QUIT'), 'QUIT x', ...BLOCKED, 'STARTTLS', 'GET / HTTP/1.1'],
    answer: 'REFUSED' as const,
  })),
  ...SECURITIES.map((security) => ({
    what: `and QUIT is relayed (${security})`,
    state: { ...TLS, security, upstreamRefused: true },
    lines: ['QUIT', 'quit'],
    answer: 'relayed' as const,
  })),
  {
    what: 'after the handshake, a command that needs an EHLO is refused until there is one (RFC 3207 4.2)',
    state: { ...TLS, ehloOwed: true },
    lines: ORDINARY.filter((line) => !/^(EHLO|HELO|RSET|NOOP|VRFY|HELP|QUIT)/.test(line)),
    answer: 'EHLO_FIRST',
  },
  {
    what: 'and the rest is relayed, including EHLO',
    state: { ...TLS, ehloOwed: true },
    lines: ['EHLO app', 'HELO app', 'RSET', 'NOOP', 'VRFY x', 'HELP', 'QUIT'],
    answer: 'relayed',
  },
  {
    what: 'STARTTLS keeps its own reply there',
    state: { ...TLS, ehloOwed: true },
    lines: ['STARTTLS', 'STARTTLS x'],
    answer: 'STARTTLS_REFUSED',
  },
  {
    what: 'a drain comes before a missing EHLO',
    state: { ...TLS, ehloOwed: true, mayDrain: true },
    lines: ['EHLO app', 'MAIL FROM:<a@b>', 'NOOP'],
    answer: 'DRAINING',
  },
  {
    what: 'at a drain the next command is answered 421',
    state: { ...TLS, mayDrain: true },
    lines: ORDINARY.filter((line) => line !== 'QUIT'),
    answer: 'DRAINING',
  },
  {
    what: 'while replies are owed, only MAIL is answered 421: it would begin another message',
    state: { ...TLS, mayDrainLater: true },
    lines: ['MAIL FROM:<a@b>'],
    answer: 'DRAINING',
  },
  {
    what: 'and the rest is relayed',
    state: { ...TLS, mayDrainLater: true },
    lines: ORDINARY.filter((line) => !line.startsWith('MAIL')),
    answer: 'relayed',
  },
  {
    what: 'at a drain STARTTLS is answered 421, too',
    state: { ...OFFERED, mayDrain: true },
    lines: ['STARTTLS'],
    answer: 'DRAINING',
  },
  { what: 'and QUIT is relayed', state: { ...TLS, mayDrain: true }, lines: ['QUIT'], answer: 'relayed' },
]

describe('intercept()', () => {
  for (const { what, state, lines, answer } of CASES) {
    test(what, () => {
      for (const line of lines) assert.equal(answerTo(line, state), answer, JSON.stringify(line))
    })
  }

  test('recognises a long line by its head', () => {
    const head = (text: string) => intercept(latin1(text + 'x'.repeat(4096)), REQUIRED)?.answer
    assert.equal(head('MAIL '), localReplies.STARTTLS_FIRST)
    assert.equal(head('XCLIENT '), localReplies.BLOCKED)
    assert.equal(head('POST /'), localReplies.HTTP)
    assert.equal(head('NOOP '), undefined)
  })
})

describe('An unencrypted command makes a later STARTTLS impossible', () => {
  const smuggled = ['NOOP x\rAUTH PLAIN x', 'NOOP\0AUTH PLAIN x', 'EHLO a\r', 'EHLO a\vMAIL FROM:<a@b>']
  for (const line of smuggled)
    test(`${JSON.stringify(line)} does`, () => assert.equal(taints(latin1(`${line}\r\n`)), true))
  const harmless = ['EHLO\tapp', 'EHLO app', 'HELO app', 'NOOP', 'RSET', 'HELP', 'VRFY x', 'QUIT']
  for (const line of harmless) test(`not ${line}`, () => assert.equal(taints(latin1(`${line}\r\n`)), false))
  for (const line of ORDINARY.filter((each) => !harmless.includes(each))) {
    test(`${JSON.stringify(line)} does`, () => assert.equal(taints(latin1(`${line}\r\n`)), true))
  }
})
