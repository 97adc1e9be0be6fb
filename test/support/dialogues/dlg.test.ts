import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseScript } from './dlg.ts'

describe('A script', () => {
  const parse = (...lines: string[]) => parseScript('x', ['# It works.', ...lines, 'close C', ''].join('\n'))
  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['an unknown operator', 'Q hello', /x\.dlg:2: not a step: Q hello/],
    ['spaces at the end of a line', 'C hello ', /invisible spaces at the end/],
    ['a letter that is not ASCII', 'C h\u00e9llo', /not plain ASCII/],
    ['a character above \\u00ff', 'C~ "\\u0100"', /a byte is/],
    ['text that is not a JSON string', "C~ 'x'", /not a JSON string/],
    ['an unknown setting', '## speed: fast', /no such setting: speed/],
    ['an unknown listener', '## listener: quic', /quic is none of plain, starttls, smtps/],
    ['bytes from the proxy that are not relayed', 'P! 220 go', /not a step/],
  ]
  for (const [what, line, message] of wrong) {
    test(`refuses ${what}`, () => assert.throws(() => parse(line), message))
  }

  test('refuses a file without a close or a reset, or without a behaviour', () => {
    assert.throws(() => parseScript('x', '# It works.\nC QUIT\n'), /end with a close or a reset/)
    assert.throws(() => parseScript('x', 'C QUIT\nclose C\n'), /begin with a comment/)
  })

  test('adds CRLF to lines, and nothing to exact bytes', () => {
    const { steps } = parse('C', 'C hello', 'S~ "25"', 'S!~ "\\u0000\\u00ff" * 2', 'P 220 go', '--', 'wait 5ms')
    const bytes = steps.map((step) => ('bytes' in step ? step.bytes.toString('latin1') : step.kind))
    assert.deepEqual(bytes, [
      '\r\n',
      'hello\r\n',
      '25',
      '\u0000\u00ff\u0000\u00ff',
      '220 go\r\n',
      'flush',
      'wait',
      'end',
    ])
    assert.deepEqual(
      steps.map((step) => ('relayed' in step ? step.relayed : undefined)),
      [true, true, true, false, undefined, undefined, undefined, undefined],
    )
  })
})
