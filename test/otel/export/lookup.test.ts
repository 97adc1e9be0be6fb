import assert from 'node:assert/strict'
import type { LookupAddress, LookupOptions } from 'node:dns'
import { test } from 'node:test'
import { serialLookup } from '../../../otel/export/lookup.ts'

const HERE: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

/** A resolver whose results the test sets. */
function scripted() {
  const asked: string[] = []
  const answers: PromiseWithResolvers<LookupAddress[]>[] = []
  const lookup = serialLookup((host) => {
    asked.push(host)
    answers.push(Promise.withResolvers())
    return answers.at(-1)!.promise
  })
  const find = (host: string, options: LookupOptions = { all: true }) =>
    new Promise<unknown>((settle) =>
      lookup(host, options, (error, found, family) => settle(error?.code ?? (family ? [found, family] : found))),
    )
  return { asked, answers, find }
}

const turn = () => new Promise(setImmediate)

test('returns all addresses of a name, or the first one', async () => {
  const { answers, find } = scripted()
  const [all, one] = [find('collector'), find('collector', {})]
  await turn()
  answers[0]!.resolve(HERE)
  assert.deepEqual([await all, await one], [HERE, ['127.0.0.1', 4]])
})

test('concurrent lookups of a name share one result; later the name is resolved again', async () => {
  const { asked, answers, find } = scripted()
  const both = [find('collector'), find('collector')]
  await turn()
  answers[0]!.resolve(HERE)
  assert.deepEqual(await Promise.all(both), [HERE, HERE])
  void find('collector')
  await turn()
  assert.deepEqual(asked, ['collector', 'collector'])
})

test('resolves one name at a time, also after a name that was not found', async () => {
  const { asked, answers, find } = scripted()
  const [first, second] = [find('one'), find('other')]
  await turn()
  assert.deepEqual(asked, ['one'])
  answers[0]!.reject(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }))
  assert.equal(await first, 'ENOTFOUND')
  await turn()
  assert.deepEqual(asked, ['one', 'other'])
  answers[1]!.resolve(HERE)
  assert.deepEqual(await second, HERE)
})

test("by default, uses the machine's resolver", async () => {
  const found = await new Promise((settle) =>
    serialLookup()('localhost', { all: true }, (_, addresses) => settle(addresses)),
  )
  assert.ok((found as LookupAddress[]).some(({ address }) => address === '127.0.0.1' || address === '::1'))
})
