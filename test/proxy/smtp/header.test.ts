/** The header fields for telemetry. Every case runs as a whole, byte by byte, and split at each byte. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type HeaderFacts,
  HeaderScanner,
  MAX_FIELD_BYTES,
  MAX_HEADER_BYTES,
  MAX_TRACESTATE_LENGTH,
} from '../../../proxy/smtp/header.ts'
import { cutAtAll, latin1, segmentations } from '../../support/sockets/segmentation.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const PARENT = `00-${TRACE}-${SPAN}-01`

type Expected = HeaderFacts | undefined

function scan(chunks: readonly Buffer[], messageId = true): Expected {
  const scanner = new HeaderScanner(messageId)
  for (const chunk of chunks) {
    // like a buffer of the read pool: the bytes around the chunk, and later those in it, belong to other messages
    const block = Buffer.concat([latin1('\r\n\r\n'), chunk, latin1('\nahasend-tags: stray\n')])
    scanner.push(block, 4, 4 + chunk.length)
    block.fill('x')
  }
  return scanner.finish()
}

/** The value of a `traceparent` field, and the part that is used. */
const PARENTS: readonly (readonly [what: string, value: string, taken: string | undefined])[] = [
  ['version 00', PARENT, PARENT],
  ['unknown flags', `00-${TRACE}-${SPAN}-ff`, `00-${TRACE}-${SPAN}-ff`],
  ['blanks around it', ` \t${PARENT} \t`, PARENT],
  ['a later version', `cc-${TRACE}-${SPAN}-01`, `cc-${TRACE}-${SPAN}-01`],
  [
    'the part of a later version that version 00 defines',
    `01-${TRACE}-${SPAN}-01-what-the-future`,
    `01-${TRACE}-${SPAN}-01`,
  ],
  ['a later version that continues without a dash', `01-${TRACE}-${SPAN}-01x`, undefined],
  ['version 00 that continues', `${PARENT}-more`, undefined],
  ['version ff', `ff-${TRACE}-${SPAN}-01`, undefined],
  ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`, undefined],
  ['a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`, undefined],
  ['upper case', PARENT.toUpperCase(), undefined],
  ['one digit too few', `00-${TRACE.slice(1)}-${SPAN}-01`, undefined],
  ['one digit too many', `00-${TRACE}0-${SPAN}-01`, undefined],
  ['no flags', `00-${TRACE}-${SPAN}`, undefined],
  ['letters that are not hexadecimal digits', `00-${TRACE.replace('0', 'g')}-${SPAN}-01`, undefined],
  ['quotes', `"${PARENT}"`, undefined],
  ['nothing', '', undefined],
]

/** Messages, and the fields that are found. */
const MESSAGES: readonly (readonly [what: string, message: string, facts: Expected])[] = [
  ['nothing of interest', 'From: a@b\r\nTo: c@d\r\nSubject: e\r\n\r\nhello\r\n.\r\n', undefined],
  ['no header section: an empty line', `\r\ntraceparent: ${PARENT}\r\n.\r\n`, undefined],
  ['no header section: a bare line feed', `\ntraceparent: ${PARENT}\r\n.\r\n`, undefined],
  ['nothing but the dot', '.\r\n', undefined],
  ['nothing at all', '', undefined],
  ['text instead of a header', 'hello\r\nAhaSend-Sandbox: true\r\n\r\n', { sandbox: true }],
  ['the first field', `traceparent: ${PARENT}\r\nTo: a\r\n\r\n`, { traceparent: PARENT }],
  ['the last field', `To: a\r\ntraceparent: ${PARENT}\r\n\r\n`, { traceparent: PARENT }],
  ['the last field before the dot', `To: a\r\ntraceparent: ${PARENT}\r\n.\r\n`, { traceparent: PARENT }],
  ['the last field before the end of the input', `To: a\r\ntraceparent: ${PARENT}\r\n`, { traceparent: PARENT }],
  ['a field in the body', `To: a\r\n\r\ntraceparent: ${PARENT}\r\n.\r\n`, undefined],
  ['a field after an empty line with a bare line feed', `To: a\n\ntraceparent: ${PARENT}\n.\r\n`, undefined],
  ['a line of two carriage returns is not empty', '\r\r\nAhaSend-Sandbox: 1\r\n\r\n', { sandbox: true }],
  ['a carriage return is not a line end', 'To: a\rAhaSend-Sandbox: 1\r\n\r\n', undefined],
  ['a line of blanks continues the field', `traceparent:\r\n \r\n\t\r\n ${PARENT}\r\n\r\n`, { traceparent: PARENT }],
  ['a name in any case', `TRACEparent: ${PARENT}\r\n\r\n`, { traceparent: PARENT }],
  ['blanks before the colon, none after it', `traceparent \t :${PARENT}\r\n\r\n`, { traceparent: PARENT }],
  ['a fold before the colon', `traceparent\r\n : ${PARENT}\r\n\r\n`, undefined],
  ['a folded value', `traceparent:\r\n\t${PARENT}\r\nTo: a\r\n\r\n`, { traceparent: PARENT }],
  ['a fold inside the value', `traceparent: 00-${TRACE}\r\n -${SPAN}-01\r\n\r\n`, undefined],
  ['a fold with bare line feeds', `traceparent:\n ${PARENT}\n\n`, { traceparent: PARENT }],
  ['a longer name', `traceparents: ${PARENT}\r\nx-traceparent: ${PARENT}\r\n\r\n`, undefined],
  ['a name without its colon', `traceparent ${PARENT}\r\n\r\n`, undefined],
  ['a folded field of no interest', `Subject: a\r\n traceparent: ${PARENT}\r\n\r\n`, undefined],
  ['two parents', `traceparent: ${PARENT}\r\nTRACEPARENT: ${PARENT}\r\n\r\n`, undefined],
  ['two parents, one malformed', `traceparent: ${PARENT}\r\ntraceparent: x\r\n\r\n`, undefined],
  ['a state without its parent', 'tracestate: a=1\r\n\r\n', undefined],
  ['a state with a malformed parent', 'traceparent: x\r\ntracestate: a=1\r\n\r\n', undefined],
  [
    'a state of several fields, in order',
    `tracestate: a=1 ,, b=2\r\ntraceparent: ${PARENT}\r\ntracestate:\r\nTraceState:\tc=3,\r\n\td=4\r\n\r\n`,
    { traceparent: PARENT, tracestate: 'a=1,b=2,c=3,d=4' },
  ],
  ['a state that is not printable', `traceparent: ${PARENT}\r\ntracestate: a=\x07\r\n\r\n`, { traceparent: PARENT }],
  ['a state that is not ASCII', `traceparent: ${PARENT}\r\ntracestate: a=\xc3\xa9\r\n\r\n`, { traceparent: PARENT }],
  ['sandbox: true', 'AhaSend-Sandbox: True\r\n\r\n', { sandbox: true }],
  ['sandbox: 1', 'AHASEND-SANDBOX:1\r\n\r\n', { sandbox: true }],
  ['sandbox: false', 'AhaSend-Sandbox: false\r\n\r\n', undefined],
  ['sandbox: 10', 'AhaSend-Sandbox: 10\r\n\r\n', undefined],
  ['the result of a sandbox is another field', 'AhaSend-Sandbox-Result: true\r\n\r\n', undefined],
  ['tags', 'ahasend-tags: one, two words ,,three\r\n\r\n', { tags: ['one', 'two words', 'three'] }],
  ['tags in several fields', 'ahasend-tags: one\r\nAhaSend-Tags: two\r\n\r\n', { tags: ['one', 'two'] }],
  ['no tags', 'ahasend-tags: , ,\r\n\r\n', undefined],
  ['ten tags of twelve', 'ahasend-tags: 1,2,3,4,5,6,7,8,9,10,11,12\r\n\r\n', { tags: [...'123456789', '10'] }],
  [
    'tags of 64 and 65 characters',
    `ahasend-tags: ${'a'.repeat(64)},${'b'.repeat(65)}\r\n\r\n`,
    { tags: ['a'.repeat(64)] },
  ],
  ['tags in UTF-8, and not', 'ahasend-tags: gr\xc3\xbcn,gr\xfcn,a\x00b,c\r\n\r\n', { tags: ['grün', 'c'] }],
  ['a message id', 'Message-ID: <a.b@c>\r\n\r\n', { messageId: '<a.b@c>' }],
  ['a folded message id', 'message-id:\r\n <a.b@c>\r\n\r\n', { messageId: '<a.b@c>' }],
  ['a message id without brackets', 'Message-ID: a.b@c\r\n\r\n', undefined],
  ['two message ids', 'Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n\r\n', undefined],
  ['a stuffed field', `..traceparent: ${PARENT}\r\n.AhaSend-Sandbox: 1\r\n\r\n`, undefined],
  ['a stuffed line in between', '..\r\n..x\r\nAhaSend-Sandbox: 1\r\n\r\n', { sandbox: true }],
  ['an unfinished line', 'AhaSend-Sandbox: true\r\nahasend-tags: o', { sandbox: true }],
  ['a field that continues in an unfinished line', 'ahasend-tags: one,\r\n tw', undefined],
  ['a field with its carriage return, but without its line feed', 'AhaSend-Sandbox: true\r', undefined],
]

describe('The fields of a header section', () => {
  for (const [what, message, facts] of MESSAGES) {
    test(what, () => {
      for (const { how, chunks } of segmentations(latin1(message))) assert.deepEqual(scan(chunks), facts, how)
    })
  }
})

describe('A traceparent is read according to W3C Trace Context 3.2', () => {
  for (const [what, value, traceparent] of PARENTS) {
    test(`${what}: ${traceparent === undefined ? 'no' : 'yes'}`, () => {
      const message = latin1(`To: a\r\ntraceparent:${value}\r\n\r\n`)
      assert.deepEqual(scan([message]), traceparent && { traceparent })
    })
  }
})

describe('A header section is bounded', () => {
  const SANDBOX = 'AhaSend-Sandbox: true\r\n'
  const bounded = (message: string, messageId = false) => {
    const bytes = latin1(message)
    const found = scan([bytes], messageId)
    for (const cut of [1, 7, 4096]) {
      const chunks = cutAtAll(
        bytes,
        Array.from({ length: Math.ceil(bytes.length / cut) }, (_, index) => index * cut),
      )
      assert.deepEqual(scan(chunks, messageId), found, `cut at each ${cut}`)
    }
    return found
  }

  test('fields count up to the last byte of the limit, and not after it', () => {
    const padding = (length: number) => `${'x'.repeat(length - 2)}\r\n`
    const fits = MAX_HEADER_BYTES - SANDBOX.length
    assert.deepEqual(bounded(`${padding(fits)}${SANDBOX}`), { sandbox: true })
    assert.equal(bounded(`${padding(fits + 1)}${SANDBOX}`), undefined)
    assert.equal(bounded(`${padding(MAX_HEADER_BYTES)}${SANDBOX}`), undefined)
  })

  test('a field counts up to its limit; a longer one does not, but its neighbours do', () => {
    const field = (length: number) => `ahasend-tags: ${','.repeat(length - 'ahasend-tags: one\r\n'.length)}one\r\n`
    assert.deepEqual(bounded(`${field(MAX_FIELD_BYTES)}${SANDBOX}`), { sandbox: true, tags: ['one'] })
    assert.deepEqual(bounded(`${field(MAX_FIELD_BYTES + 1)}${SANDBOX}`), { sandbox: true })
    const folded = `${field(MAX_FIELD_BYTES)} ,two\r\n`
    assert.deepEqual(bounded(`${folded}${SANDBOX}ahasend-tags: three\r\n`), { sandbox: true, tags: ['three'] })
  })

  test('a state of 512 characters counts, a longer one does not', () => {
    const state = (length: number) =>
      `traceparent: ${PARENT}\r\ntracestate: a=1\r\ntracestate: ${'b'.repeat(length)}\r\n\r\n`
    const fits = MAX_TRACESTATE_LENGTH - 'a=1,'.length
    assert.equal(bounded(state(fits))?.tracestate, `a=1,${'b'.repeat(fits)}`)
    assert.equal(bounded(state(fits + 1))?.tracestate, undefined)
    assert.equal(bounded(state(fits + 1).replace('\r\n\r\n', '\r\ntracestate: c\r\n\r\n'))?.tracestate, undefined)
  })

  test('a message id of 998 bytes counts, a longer one does not', () => {
    const message = (length: number) => `Message-ID: <${'a'.repeat(length - 2)}>\r\n\r\n`
    assert.equal(bounded(message(998), true)?.messageId?.length, 998)
    assert.equal(bounded(message(999), true), undefined)
  })

  test('it is done at the empty line, at its limit, and after finish', () => {
    const scanner = new HeaderScanner()
    scanner.push(latin1('To: a\r\n\r'), 0, 8)
    assert.equal(scanner.done, false)
    scanner.push(latin1('\n'), 0, 1)
    assert.equal(scanner.done, true)
    const long = new HeaderScanner()
    long.push(Buffer.alloc(MAX_HEADER_BYTES - 1, 'x'), 0, MAX_HEADER_BYTES - 1)
    assert.equal(long.done, false)
    long.push(latin1('x'), 0, 1)
    assert.equal(long.done, true)
    const finished = new HeaderScanner()
    assert.equal(finished.finish(), undefined)
    finished.push(latin1(SANDBOX), 0, SANDBOX.length)
    assert.deepEqual([finished.done, finished.finish()], [true, undefined])
  })
})

test('A Message-ID is read only if it is enabled', () => {
  assert.equal(scan([latin1('Message-ID: <a@b>\r\n\r\n')], false), undefined)
})

describe('For any header section', () => {
  /** Mostly parts of lines and fields. */
  const PIECES = [
    '\r',
    '\n',
    '\r\n',
    '\r\n',
    '\r\n',
    ' ',
    '\r\n ',
    '.',
    ':',
    'x',
    'trace',
    'traceparent: ',
    `traceparent:${PARENT}\r\n`,
    'tracestate: a=1',
    'AhaSend-Sandbox: true\r\n',
    'ahasend-tags: one,',
    'Message-ID: <a@b>\r\n',
  ]
  const message = fc.array(fc.constantFrom(...PIECES), { maxLength: 20 }).map((pieces) => latin1(pieces.join('')))
  const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 6 })

  test('the fields match the definition, for all chunks (30,000 messages)', () => {
    fc.assert(
      fc.property(message, cuts, (bytes, positions) => {
        assert.deepEqual(scan(cutAtAll(bytes, positions)), reference(bytes.toString('latin1')))
      }),
      { numRuns: 30_000 },
    )
  })

  /** The definition, without optimisation or limits: whole lines, up to the first empty one, unfolded. */
  function reference(message: string): Expected {
    const lines = message.split('\n').map((line) => line.replace(/\r$/, ''))
    const rest = lines.pop()!
    const empty = lines.indexOf('')
    const fields: string[] = []
    for (const line of empty < 0 ? lines : lines.slice(0, empty)) {
      if (/^[ \t]/.test(line)) fields.push(`${fields.pop() ?? '?'}${line}`)
      else fields.push(line)
    }
    if (empty < 0 && /^[ \t]/.test(rest)) fields.pop()
    const values = (name: string) =>
      fields.flatMap((field) => new RegExp(`^${name}[ \t]*:(.*)$`, 'is').exec(field)?.[1]?.trim() ?? [])
    return factsOf(values)
  }

  function factsOf(values: (name: string) => string[]): Expected {
    const once = (name: string, form: RegExp) => {
      const [value = '', ...more] = values(name)
      return more.length === 0 && form.test(value) ? value : undefined
    }
    const list = (name: string) =>
      values(name)
        .flatMap((value) => value.split(',').map((member) => member.trim()))
        .filter((member) => member !== '')
    const traceparent = once('traceparent', new RegExp(`^${PARENT}$`))
    const state = list('tracestate')
    const sandbox = values('ahasend-sandbox').includes('true')
    const tags = list('ahasend-tags').filter((tag) => tag.length <= 64 && !/[\r\n]/.test(tag))
    const messageId = once('message-id', /^<[^<>\s]+>$/)
    const stateText = state.join(',')
    const facts: HeaderFacts = {
      ...(traceparent && { traceparent }),
      ...(traceparent && /^[\x20-\x7e]+$/.test(stateText) && { tracestate: stateText }),
      ...(sandbox && { sandbox }),
      ...(tags.length > 0 && { tags: tags.slice(0, 10) }),
      ...(messageId && { messageId }),
    }
    return Object.keys(facts).length === 0 ? undefined : facts
  }
})
