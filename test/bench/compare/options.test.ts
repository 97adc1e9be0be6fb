/** The options of `npm run bench`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { helpText, type Options, parseOptions, UsageError } from '../../../bench/compare/options.ts'

function parse(...args: readonly string[]): Options {
  const options = parseOptions(args)
  assert.ok(options !== 'help')
  return options
}

const ids = (items: readonly { readonly id: string }[]) => items.map(({ id }) => id)

describe('without options', () => {
  test('all workloads run with all contenders, in five rounds', () => {
    const options = parse()
    assert.deepEqual(ids(options.workloads), ['W1', 'W2', 'W2p', 'W3', 'W4', 'W5', 'W6'])
    assert.ok(
      ['direct', 'pipe', 'prototype', 'haproxy', 'haraka', 'ours', 'ours-100'].every((id) =>
        ids(options.contenders).includes(id),
      ),
    )
    assert.deepEqual(options.upstreams, ['plain', 'tls'])
    assert.deepEqual([options.rounds, options.seconds, options.short], [5, 2, false])
  })
})

describe('options', () => {
  test('--only selects workloads, in their usual order', () => {
    assert.deepEqual(ids(parse('--only', 'W5, w2').workloads), ['W2', 'W5'])
  })

  test('--against selects peers; the direct connection and our variants stay', () => {
    assert.deepEqual(ids(parse('--against', 'haproxy').contenders), [
      'direct',
      'haproxy',
      'ours-off',
      'ours',
      'ours-2',
      'ours-10',
      'ours-100',
    ])
  })

  test('--short selects fewer peers and one short round', () => {
    const options = parse('--short')
    assert.deepEqual(ids(options.contenders), ['direct', 'pipe', 'prototype', 'haproxy', 'stunnel', 'ours-off', 'ours'])
    assert.deepEqual([options.rounds, options.seconds], [1, 0.5])
  })

  test('--short leaves the peers, the rounds and the seconds that are given', () => {
    const options = parse('--short', '--against', 'haraka', '--rounds', '3', '--seconds', '1')
    assert.deepEqual(ids(options.contenders), ['direct', 'haraka', 'ours-off', 'ours'])
    assert.deepEqual([options.rounds, options.seconds], [3, 1])
  })

  test('--upstream selects the kind of upstream', () => {
    assert.deepEqual(parse('--upstream', 'tls').upstreams, ['tls'])
  })

  test('--set changes settings of our proxy', () => {
    assert.deepEqual(parse('--set', 'PROXY_WARM_CONNECTIONS=0', '--set', 'OTEL_RESOURCE_ATTRIBUTES=a=b').settings, {
      PROXY_WARM_CONNECTIONS: '0',
      OTEL_RESOURCE_ATTRIBUTES: 'a=b',
    })
  })

  test('--help names every workload and every peer', () => {
    assert.equal(parseOptions(['--help']), 'help')
    const { workloads, contenders } = parse()
    for (const { id } of [...workloads, ...contenders.filter(({ role }) => role === 'peer')])
      assert.match(helpText(), new RegExp(`^    ${id} `, 'm'))
  })
})

describe('a mistake names the option, the value and what is expected', () => {
  const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['--only', 'W9'], /^--only: 'w9' is unknown; known are W1, W2, W2p, W3, W4, W5, W6$/],
    [['--against', 'exim'], /^--against: 'exim' is unknown; known are pipe, prototype, haproxy/],
    [['--against', 'ours'], /^--against: 'ours' is unknown/],
    [['--upstream', 'ssl'], /^--upstream: 'ssl' is unknown; known are plain, tls$/],
    [['--rounds', '1.5'], /^--rounds: '1.5' is not a positive whole number$/],
    [['--seconds', '0'], /^--seconds: '0' is not a positive number$/],
    [['--set', 'PROXY_WORKERS'], /^--set: 'PROXY_WORKERS' is not of the form PROXY_WORKERS=2$/],
    [['--fast'], /'--fast'/],
    [['fast'], /'fast'/],
  ]
  for (const [args, message] of cases) {
    test(args.join(' '), () => {
      assert.throws(
        () => parseOptions(args),
        (error) => error instanceof UsageError && message.test(error.message),
      )
    })
  }
})
