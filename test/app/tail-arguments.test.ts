/** The arguments of the command `tail`, and where it looks for the proxy. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readArguments } from '../../app/tail-arguments.ts'

const ACCEPTED: readonly [
  args: string,
  env: Record<string, string>,
  url: string | undefined,
  query: string,
  json: boolean,
][] = [
  ['', {}, 'http://127.0.0.1:9464', '', false],
  ['', { PROXY_ADMIN: ' ' }, 'http://127.0.0.1:9464', '', false],
  ['', { PROXY_ADMIN: ' http://0.0.0.0:1234 ' }, 'http://0.0.0.0:1234', '', false],
  ['', { PROXY_ADMIN: 'off' }, undefined, '', false],
  ['--url http://[::1]:99', { PROXY_ADMIN: 'off' }, 'http://[::1]:99', '', false],
  ['--url=http://a:1 --url http://b:2', {}, 'http://b:2', '', false],
  ['--json --code=4xx', {}, 'http://127.0.0.1:9464', 'code=4xx', true],
  ['--app a --slow 2s --app=b,c', {}, 'http://127.0.0.1:9464', 'app=a%2Cb%2Cc&slow=2s', false],
]

for (const [args, env, url, query, json] of ACCEPTED) {
  test(`${args || 'no arguments'} with ${JSON.stringify(env)}: ${url}`, () => {
    const read = readArguments(args.split(' ').filter(Boolean), env)
    assert.ok(typeof read === 'object' && 'query' in read, JSON.stringify(read))
    assert.deepEqual([read.url, read.query.toString(), read.json], [url, query, json])
  })
}

const REFUSED: readonly [args: readonly string[], mistakes: readonly RegExp[]][] = [
  [['billing'], [/^unknown argument "billing": expected --app, --code, --cause, --outcome, --slow, --url, --json$/]],
  [['--constructor=1'], [/^unknown argument "--constructor=1"/]],
  [['--app'], [/^--app: got nothing, expected a value$/]],
  [['--app', '--json'], [/^--app: got nothing, expected a value$/]],
  [['--app='], [/^--app: got "", expected at least one value$/]],
  [['--json=yes'], [/^--json: got "yes", expected no value$/]],
  [['--url', 'http://a:0'], [/^--url: got "http:\/\/a:0", expected a URL with the port of the admin server$/]],
  [
    ['--code=1', '--slow=x', '--url=y'],
    [/^--code: got "1"/, /^--slow: got "x"/, /^--url: got "y", expected a URL such as/],
  ],
]

for (const [args, mistakes] of REFUSED) {
  test(`${JSON.stringify(args)} is refused`, () => {
    const read = readArguments(args, {})
    assert.ok(typeof read === 'object' && 'mistakes' in read)
    assert.equal(read.mistakes.length, mistakes.length, read.mistakes.join('\n'))
    for (const [index, mistake] of mistakes.entries()) assert.match(read.mistakes[index] ?? '', mistake)
  })
}
