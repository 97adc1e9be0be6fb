/**
 * Measures the start of the proxy from the sources and from the bundle: the time from the start of the process until all
 * listeners are open, and the resident memory at that moment. Needs Linux.
 *
 *   node bench/start.ts [--rounds 10]
 *
 * The programs take turns in each round. Prints the median, and the lowest and the highest value.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from '../bundle/build.ts'
import { temporaryDirectory } from '../test/support/files/temporary-files.ts'
import { residentMib } from '../test/support/processes/memory.ts'
import { startProxy } from '../test/support/processes/proxy-process.ts'
import { spread } from './compare/figures/statistics.ts'
import { spreadText } from './compare/report/numbers.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '10' } } })

interface Start {
  readonly milliseconds: number
  readonly mebibytes: number
}

interface Contender {
  readonly name: string
  readonly main: string
  readonly flags: readonly string[]
  readonly starts: Start[]
}

/** Nothing is preconnected, so the network does not affect the result. */
const SETTINGS = { PROXY_WARM_CONNECTIONS: '0' }

async function start({ main, flags }: Contender): Promise<Start> {
  const began = performance.now()
  await using proxy = await startProxy(SETTINGS, { main, preload: false, nodeOptions: ['--disable-sigusr1', ...flags] })
  return { milliseconds: performance.now() - began, mebibytes: residentMib(proxy.pid) }
}

using folder = temporaryDirectory('start-')
await build('image', folder.path)
const bundle = join(folder.path, 'proxy.cjs')
const contenders: readonly Contender[] = [
  { name: 'sources', main: 'app/entry.js', flags: [], starts: [] },
  { name: 'bundle', main: bundle, flags: [], starts: [] },
  { name: 'bundle, with source maps', main: bundle, flags: ['--enable-source-maps'], starts: [] },
]
for (let round = 0; round < Number(values.rounds); round += 1)
  for (const contender of contenders) contender.starts.push(await start(contender))

console.log('| program | ms until it listens | resident MiB |\n|---|---|---|')
for (const { name, starts } of contenders) {
  const milliseconds = spreadText(spread(starts.map((one) => one.milliseconds))!)
  const mebibytes = spreadText(spread(starts.map((one) => one.mebibytes))!)
  console.log(`| ${name} | ${milliseconds} | ${mebibytes} |`)
}
