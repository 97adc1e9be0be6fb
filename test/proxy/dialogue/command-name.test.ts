import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { commandName } from '../../../proxy/dialogue/command-name.ts'
import type { CommandName } from '../../../proxy/events/closed-sets.ts'
import type { Verb } from '../../../proxy/smtp/command.ts'

const OWN_NAMES: readonly (Verb & CommandName)[] = [
  ...(['EHLO', 'HELO', 'STARTTLS', 'AUTH', 'MAIL', 'RCPT', 'DATA'] as const),
  ...(['BDAT', 'RSET', 'NOOP', 'VRFY', 'QUIT'] as const),
]

const OTHERS: readonly Verb[] = ['LHLO', 'EXPN', 'HELP', 'ETRN', 'BURL', 'XCLIENT', '', 'UNKNOWN']

describe('The name under which telemetry counts a verb', () => {
  for (const verb of OWN_NAMES) test(`${verb}: ${verb}`, () => assert.equal(commandName(verb), verb))
  for (const verb of OTHERS) test(`${verb || 'an empty line'}: OTHER`, () => assert.equal(commandName(verb), 'OTHER'))
})
