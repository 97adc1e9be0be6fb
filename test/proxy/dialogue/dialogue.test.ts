import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Dialogue } from '../../../proxy/dialogue/dialogue.ts'
import type { ReplyFacts } from '../../../proxy/events/reply.ts'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import type { AddressScope } from '../../../proxy/smtp/path.ts'
import { ReplyReader } from '../../../proxy/smtp/reply.ts'
import { readScripts, type Script } from '../../support/dialogues/dlg.ts'
import { isDialogueLine, linesOf, timedLinesOf, withoutTime } from '../../support/dialogues/event-lines.ts'
import { DIALOGUES, goldenNames, readGolden } from '../../support/dialogues/goldens.ts'
import { cutAt, cutsOf, observe, type Part, segmentsOf, trickled } from '../../support/dialogues/pure-rig.ts'
import { MAX_OWED_REPLIES } from '../../support/in-process/limits.ts'

const SCRIPTS = readScripts(DIALOGUES, 'pure')

describe('A dialogue reports the same events wherever the network splits the bytes', () => {
  for (const script of SCRIPTS) {
    test(`${script.name}: ${script.behaviour}`, () => {
      const golden = readGolden(script.name).filter(isDialogueLine)
      assert.deepEqual(timedLinesOf(observe(segmentsOf(script, 'lines'), script.addresses)), golden, 'line by line')
      const expected = golden.map(withoutTime)
      for (const [how, parts] of waysOf(script)) {
        assert.deepEqual(linesOf(observe(parts, script.addresses)), expected, how)
      }
    })
  }

  test('for any script, split at any number of positions', () => {
    const script = fc.constantFrom(...SCRIPTS)
    const cuts = fc.array(fc.nat(800), { maxLength: 30 })
    fc.assert(
      fc.property(script, cuts, (one, positions) => {
        const whole = segmentsOf(one, 'coalesced')
        const pieces = positions.reduce(cutAt, whole)
        assert.deepEqual(linesOf(observe(pieces, 'full')), linesOf(observe(whole, 'full')), one.name)
      }),
      { numRuns: 2000 },
    )
  })
})

/** The script as whole segments, byte by byte, and with one more cut at each position. */
function* waysOf(script: Script): Generator<[string, readonly Part[]]> {
  const whole = segmentsOf(script, 'coalesced')
  yield ['whole', whole]
  yield ['byte by byte', trickled(whole)]
  for (const position of cutsOf(script)) yield [`cut before byte ${position}`, cutAt(whole, position)]
}

describe('The scripts', () => {
  const all = readScripts(DIALOGUES)
  const namesIn = (scripts: readonly Script[]) => scripts.map(({ name }) => name).sort()

  test('have all their goldens, and no golden is without its script', () => {
    assert.deepEqual(goldenNames('events'), namesIn(all))
    for (const kind of ['metrics', 'spans'] as const) {
      assert.deepEqual(goldenNames(kind), namesIn(readScripts(DIALOGUES, 'telemetry')), kind)
    }
  })

  test('each show a different behaviour in at most 40 steps', () => {
    const behaviours = all.map(({ behaviour }) => behaviour)
    assert.equal(new Set(behaviours).size, behaviours.length)
    for (const { name, steps } of all) assert.ok(steps.length <= 40, `${name} has ${steps.length} steps`)
  })
})

describe('Replies pair with commands in order (RFC 2920)', () => {
  const command = fc.constantFrom('NOOP', 'RSET', 'VRFY b', 'HELP', 'MAIL FROM:<a@b>', 'RCPT TO:<c@d>')
  const code = fc.constantFrom(250, 252, 450, 451, 500, 550, 553)
  const exchange = fc.record({ command, code, lines: fc.integer({ min: 1, max: 3 }) })
  const groups = fc.array(fc.array(exchange, { minLength: 1, maxLength: 8 }), { maxLength: 8 })

  test('for any groups of commands, and replies with any number of lines (PIP-17)', () => {
    fc.assert(
      fc.property(groups, fc.array(fc.nat(2000), { maxLength: 10 }), (session, cuts) => {
        const parts = session.flatMap((group, index): Part[] => [
          { side: 'client', bytes: latin1(group.map((one) => `${one.command}\r\n`).join('')), at: 2 * index },
          { side: 'upstream', bytes: latin1(group.map(replyTo).join('')), at: 2 * index + 1 },
        ])
        const greeting: Part = { side: 'upstream', bytes: latin1('220 mail.example\r\n'), at: 0 }
        const seen = observe(cuts.reduce(cutAt, [greeting, ...parts]))
        assert.deepEqual(
          seen.flatMap((event) => (event.type === 'exchange' ? [[event.command, event.reply.code]] : [])),
          session.flat().map((one) => [nameOf(one.command), one.code]),
        )
      }),
      { numRuns: 500 },
    )
  })

  /** A reply with this number of lines. */
  function replyTo({ code, lines }: { readonly code: number; readonly lines: number }): string {
    return `${`${code}-more\r\n`.repeat(lines - 1)}${code} done\r\n`
  }

  function nameOf(line: string): string {
    const verb = line.split(' ', 1)[0]!
    return verb === 'HELP' ? 'OTHER' : verb
  }
})

describe('The sender in the event of a local reply to MAIL', () => {
  const senderOf = (addresses: AddressScope) => {
    const events: SessionEvent[] = []
    const dialogue = new Dialogue((event) => events.push(event), addresses)
    const reply: ReplyFacts = { code: 421, cause: 'draining', origin: 'proxy' }
    dialogue.localReply('MAIL', reply, 1, 1, latin1('MAIL FROM:<a@Example.com>\r\n'))
    return events.flatMap((event) => (event.type === 'tx-begin' ? [event.sender] : []))
  }

  for (const [addresses, sender] of [
    ['none', undefined],
    ['domain', 'example.com'],
    ['full', 'a@Example.com'],
  ] as const) {
    test(`PROXY_RECORD_ADDRESSES=${addresses}: ${sender ?? 'not recorded'}`, () =>
      assert.deepEqual(senderOf(addresses), [sender]))
  }
})

describe('The memory of a dialogue is limited', () => {
  test('too many commands without a reply make it full, and no command is lost', () => {
    const events: SessionEvent[] = []
    const dialogue = new Dialogue((event) => events.push(event))
    const commands = MAX_OWED_REPLIES + 200
    dialogue.client(latin1('NOOP\r\n'.repeat(commands)), 1)
    assert.equal(dialogue.position.full, true)
    assert.equal(dialogue.position.repliesOwed, MAX_OWED_REPLIES)
    new ReplyReader().push(latin1('250 ok\r\n'.repeat(commands)), (reply) => dialogue.reply(reply, 2))
    assert.equal(dialogue.position.full, false)
    assert.equal(dialogue.position.repliesOwed, 0)
    assert.deepEqual(
      events.map((event) => event.type === 'exchange' && event.command),
      Array(commands).fill('NOOP'),
    )
  })
})

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
