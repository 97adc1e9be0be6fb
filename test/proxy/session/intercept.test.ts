/** Which commands the proxy answers by itself, in which state: everything else goes to the upstream. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ScreenState, screen, taints } from '../../../proxy/session/intercept.ts'
import { OWN_WORDS, type OwnWord } from '../../../proxy/session/local-replies.ts'
import type { ClientSecurity } from '../../../proxy/smtp/ehlo.ts'
import { octets } from '../../support/segmentation.ts'

type Answer = keyof typeof OWN_WORDS | 'upgrade' | 'relayed'

const TLS: ScreenState = {
  security: 'tls',
  refused: false,
  tainted: false,
  ehloOwed: false,
  mayDrain: false,
  mayDrainLater: false,
}
const CLEAR: ScreenState = { ...TLS, security: 'plain' }
const OFFERED: ScreenState = { ...TLS, security: 'starttls-offered' }
const REQUIRED: ScreenState = { ...TLS, security: 'starttls-required' }
const SECURITIES: readonly ClientSecurity[] = ['tls', 'plain', 'starttls-offered', 'starttls-required']

function answerTo(line: string, state: ScreenState): Answer {
  const answer = screen(octets(`${line}\r\n`), state)?.answer
  if (answer === undefined) return 'relayed'
  if (answer === 'upgrade') return answer
  const names = Object.keys(OWN_WORDS) as (keyof typeof OWN_WORDS)[]
  return names.find((name) => (OWN_WORDS[name] as OwnWord) === answer) ?? assert.fail('a word that is on no list')
}

/** Every kind of line, of which none is answered by the proxy in an ordinary session. */
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
  readonly state: ScreenState
  readonly lines: readonly string[]
  readonly answer: Answer
}

const CASES: readonly Case[] = [
  ...[TLS, CLEAR, OFFERED].map((state) => ({
    what: `an ordinary session (${state.security}) is relayed`,
    state,
    lines: ORDINARY,
    answer: 'relayed' as const,
  })),
  ...SECURITIES.map((security) => ({
    what: `what hands trust to the client is blocked (${security})`,
    state: { ...TLS, security },
    lines: [...BLOCKED, ...BLOCKED.map((line) => line.toLowerCase())],
    answer: 'BLOCKED' as const,
  })),
  ...SECURITIES.map((security) => ({
    what: `HTTP is no mail (${security})`,
    state: { ...TLS, security },
    lines: ['GET / HTTP/1.1', 'POST /x HTTP/1.1', 'CONNECT x:25 HTTP/1.1'],
    answer: 'HTTP' as const,
  })),
  {
    what: 'STARTTLS begins TLS, in any letters',
    state: OFFERED,
    lines: ['STARTTLS', 'starttls', 'StartTLS', 'STARTTLS \t'],
    answer: 'upgrade',
  },
  { what: 'also where it is required', state: REQUIRED, lines: ['STARTTLS'], answer: 'upgrade' },
  {
    what: 'but takes no argument',
    state: OFFERED,
    lines: ['STARTTLS now', 'starttls\tx'],
    answer: 'STARTTLS_ARGUMENT',
  },
  {
    what: 'nor comes behind a command that would survive it',
    state: { ...OFFERED, tainted: true },
    lines: ['STARTTLS'],
    answer: 'STARTTLS_REFUSED',
  },
  { what: 'nor inside TLS', state: TLS, lines: ['STARTTLS', 'STARTTLS now'], answer: 'STARTTLS_REFUSED' },
  {
    what: 'and without a certificate is the upstream’s',
    state: CLEAR,
    lines: ['STARTTLS', 'STARTTLS x'],
    answer: 'relayed',
  },
  {
    what: 'where TLS is required, mail is refused before it',
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
    what: `behind a refusing greeting only QUIT goes up (${security})`,
    state: { ...TLS, security, refused: true },
    lines: [...ORDINARY.filter((line) => line !== 'QUIT'), 'QUIT x', ...BLOCKED, 'STARTTLS', 'GET / HTTP/1.1'],
    answer: 'REFUSED' as const,
  })),
  ...SECURITIES.map((security) => ({
    what: `and QUIT does (${security})`,
    state: { ...TLS, security, refused: true },
    lines: ['QUIT', 'quit'],
    answer: 'relayed' as const,
  })),
  {
    what: 'after the handshake, what needs an EHLO is refused until there is one (RFC 3207 4.2)',
    state: { ...TLS, ehloOwed: true },
    lines: ORDINARY.filter((line) => !/^(EHLO|HELO|RSET|NOOP|VRFY|HELP|QUIT)/.test(line)),
    answer: 'EHLO_FIRST',
  },
  {
    what: 'and the rest is relayed, EHLO among it',
    state: { ...TLS, ehloOwed: true },
    lines: ['EHLO app', 'HELO app', 'RSET', 'NOOP', 'VRFY x', 'HELP', 'QUIT'],
    answer: 'relayed',
  },
  {
    what: 'STARTTLS and commands that are blocked keep their own replies there',
    state: { ...TLS, ehloOwed: true },
    lines: ['STARTTLS', 'STARTTLS x'],
    answer: 'STARTTLS_REFUSED',
  },
  {
    what: 'and at a drain there is no time for an EHLO',
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
    what: 'while replies are owed, only MAIL is: it would begin another message',
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
  { what: 'STARTTLS too', state: { ...OFFERED, mayDrain: true }, lines: ['STARTTLS'], answer: 'DRAINING' },
  { what: 'and QUIT by the upstream', state: { ...TLS, mayDrain: true }, lines: ['QUIT'], answer: 'relayed' },
]

describe('The screen', () => {
  for (const { what, state, lines, answer } of CASES) {
    test(what, () => {
      for (const line of lines) assert.equal(answerTo(line, state), answer, JSON.stringify(line))
    })
  }

  test('knows a long line by its head', () => {
    const head = (text: string) => screen(octets(text + 'x'.repeat(4096)), REQUIRED)?.answer
    assert.equal(head('MAIL '), OWN_WORDS.STARTTLS_FIRST)
    assert.equal(head('XCLIENT '), OWN_WORDS.BLOCKED)
    assert.equal(head('POST /'), OWN_WORDS.HTTP)
    assert.equal(head('NOOP '), undefined)
  })
})

describe('Relayed in the clear, a command makes STARTTLS impossible', () => {
  const smuggled = ['NOOP x\rAUTH PLAIN x', 'NOOP\0AUTH PLAIN x', 'EHLO a\r', 'EHLO a\vMAIL FROM:<a@b>']
  for (const line of smuggled)
    test(`${JSON.stringify(line)} does`, () => assert.equal(taints(octets(`${line}\r\n`)), true))
  const harmless = ['EHLO\tapp', 'EHLO app', 'HELO app', 'NOOP', 'RSET', 'HELP', 'VRFY x', 'QUIT']
  for (const line of harmless) test(`not ${line}`, () => assert.equal(taints(octets(`${line}\r\n`)), false))
  for (const line of ORDINARY.filter((each) => !harmless.includes(each))) {
    test(`${JSON.stringify(line)} does`, () => assert.equal(taints(octets(`${line}\r\n`)), true))
  }
})
