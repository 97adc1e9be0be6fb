/** The arguments of `check`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readArguments } from '../../../app/check/arguments.ts'

const EXPECTED = 'expected --login-file FILE, --to ADDRESS, --from ADDRESS, --real or --json'

test('no arguments, all options, and values after an equals sign', () => {
  assert.deepEqual(readArguments([]), { real: false, json: false })
  const all = ['--login-file', 'login', '--to=a@b.example', '--from', 'c@d.example', '--real', '--json']
  assert.deepEqual(readArguments(all), {
    loginFile: 'login',
    to: 'a@b.example',
    from: 'c@d.example',
    real: true,
    json: true,
  })
})

for (const [args, mistake] of [
  [['--quiet'], `check: unknown argument --quiet: ${EXPECTED}.`],
  [['--json=yes'], `check: unknown argument --json: ${EXPECTED}.`],
  [['--to'], 'check: --to has no value: expected an ADDRESS after it.'],
  [['--login-file', '--json'], 'check: --login-file has no value: expected a FILE after it.'],
  [['--to', 'nobody'], 'check: --to: expected one address such as you@your-domain.example.'],
  [['--to', 'a@b.example\r\nDATA'], 'check: --to: expected one address such as you@your-domain.example.'],
  [['--real'], 'check: --real has no effect: expected --to ADDRESS as well.'],
  [['--from', 'a@b.example'], 'check: --from has no effect: expected --to ADDRESS as well.'],
] as const) {
  test(`${JSON.stringify(args)} is refused, with what is expected`, () => {
    assert.deepEqual(readArguments(args), { mistakes: [mistake] })
  })
}

test('a password as an argument is refused, not quoted, and leads to the file', () => {
  const read = readArguments(['--password=hunter2'])
  assert.ok('mistakes' in read)
  assert.match(read.mistakes.join(), /--password: .* Other users can read arguments/)
  assert.doesNotMatch(read.mistakes.join(), /hunter2/)
})
