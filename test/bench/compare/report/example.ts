/** Results of a made-up run. */
import type { Results, Sample, Series } from '../../../../bench/compare/results.ts'

function sample(cpuMsPerMessage: number | undefined, more: Partial<Sample> = {}): Sample {
  const cores = { generatorCores: 0.5, sinkCores: 0.25 }
  return { messages: 1000, seconds: 2, messagesPerSecond: 500, cpuMsPerMessage, ...cores, ...more }
}

function series(workload: string, contender: string, samples: readonly Sample[], failure?: string): Series {
  const variant = workload === 'W5' ? '30% load' : ''
  return { workload, variant, upstream: 'tls', contender, samples, failure }
}

export const RESULTS: Results = {
  date: '2026-11-30',
  machine: {
    cpu: 'Test <CPU>',
    cores: 2,
    memoryGib: 4,
    system: 'Debian',
    kernel: '6.1',
    node: 'v24.0.0',
    commit: 'abc1234',
    loadBefore: 0.1,
  },
  rounds: 3,
  seconds: 2,
  short: false,
  settings: {},
  partial: false,
  tookSeconds: 100,
  series: [
    series('W1', 'direct', [sample(undefined)]),
    series('W1', 'prototype', [sample(1), sample(1.1), sample(0.9)]),
    series('W1', 'ours', [sample(1.6), sample(1.5), sample(1.7, { generatorCores: 0.97 })]),
    series('W1', 'haproxy', [], 'haproxy exited with 1: no output\nmore'),
    series('W5', 'direct', [sample(undefined, { rate: 250, p50: 0.2, p99: 1 })]),
    series('W5', 'ours', [sample(0.3, { rate: 250, p50: 0.5, p99: 3.25, p999: 12 })]),
  ],
  skipped: [
    { contender: 'stunnel', reason: 'not installed (Debian: apt-get install stunnel4)' },
    { contender: 'Postfix before-queue proxy', upstream: 'tls', reason: 'no TLS' },
  ],
  tools: [],
}
