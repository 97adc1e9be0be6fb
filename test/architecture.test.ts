/** Imports run one way. A line that runs against it fails with the sentence that explains the rule. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')

interface Import {
  readonly from: string
  /** A path from the root, or a package's name. */
  readonly to: string
  readonly typeOnly: boolean
}

interface Rule {
  readonly sentence: string
  readonly broken: (line: Import) => boolean
}

const FILES = globSync('{proxy,settings,otel,dashboards,test,bench}/**/*.{ts,js}', { cwd: ROOT })

function importsOf(file: string): Import[] {
  const source = readFileSync(join(ROOT, file), 'utf8')
  const statements = source.matchAll(/^(?:import|export) (?<type>type )?(?:(?<names>[^'"]*?)from )?'(?<to>[^']+)'/gm)
  return [...statements].map(({ groups }) => {
    const { type, names = '', to } = groups as { type?: string; names?: string; to: string }
    const inBraces = /\{([^}]*)\}/
      .exec(names)?.[1]
      ?.split(',')
      .filter((name) => name.trim() !== '')
    const typeOnly = type !== undefined || (inBraces?.every((name) => name.trim().startsWith('type ')) ?? false)
    return { from: file, to: to.startsWith('.') ? relative(ROOT, join(ROOT, dirname(file), to)) : to, typeOnly }
  })
}

/** From the grammar to the wiring: a room may know those before it. Rooms that are not named are between their users. */
const ORDER = ['smtp', 'events', 'framing', 'dialogue', 'relay', 'session', 'server', 'main']

function rank(file: string): number {
  const room = /^proxy\/(smtp\/|[\w-]+(?=\.ts$))/.exec(file)?.[1]?.replace('/', '') ?? ''
  return ORDER.indexOf(room)
}

const RULES: readonly Rule[] = [
  {
    sentence: 'The grammar (proxy/smtp/) imports nothing: it can be read, tested and timed alone.',
    broken: ({ from, to }) => from.startsWith('proxy/smtp/') && !to.startsWith('proxy/smtp/'),
  },
  {
    sentence: 'Imports in proxy/ run smtp <- events <- framing <- dialogue <- relay <- session <- server <- main.',
    broken: ({ from, to }) => rank(from) >= 0 && rank(to) > rank(from),
  },
  {
    sentence: 'The dialogue, its answers, the framing and the transaction are pure: no socket, timer, file or clock.',
    broken: ({ from, to }) =>
      /^proxy\/(dialogue|answers|framing|transaction|cause)\.ts$/.test(from) && to.startsWith('node:'),
  },
  {
    sentence: 'app/entry.js imports nothing before it has handlers for signals: process 1 gets no signal without one.',
    broken: ({ from }) => from === 'app/entry.js',
  },
  {
    sentence: 'Only app/main.ts knows telemetry: mail must go on without it.',
    broken: ({ from, to }) =>
      from.startsWith('proxy/') &&
      from !== 'app/main.ts' &&
      (to.startsWith('otel/') || to.startsWith('@opentelemetry/')),
  },
  {
    sentence: 'otel/ sees the proxy only through `import type`: it takes events and gives nothing back.',
    broken: ({ from, to, typeOnly }) => from.startsWith('otel/') && to.startsWith('proxy/') && !typeOnly,
  },
  {
    sentence: 'settings/ imports nothing of the project: proxy/ and otel/ read their tables with it, each its own.',
    broken: ({ from, to }) => from.startsWith('settings/') && /^(proxy|otel|dashboards)\//.test(to),
  },
  {
    sentence: 'dashboards/ sees only otel/names/names.ts: a query can name nothing that is not in the table.',
    broken: ({ from, to }) =>
      from.startsWith('dashboards/') && /^(proxy|otel)\//.test(to) && to !== 'otel/names/names.ts',
  },
  {
    sentence: 'Nothing outside test/ and bench/ imports them: the appliance must run without them.',
    broken: ({ from, to }) => !/^(test|bench)\//.test(from) && /^(test|bench)\//.test(to),
  },
]

test('there are files to look at, and their imports are found', () => {
  assert.ok(FILES.length > 50)
  assert.ok(importsOf('app/main.ts').some(({ to }) => to === 'otel/sdk.ts'))
  assert.ok(
    importsOf('otel/metrics/metrics.ts').some(({ to, typeOnly }) => to === 'proxy/events/events.ts' && typeOnly),
  )
})

for (const { sentence, broken } of RULES) {
  test(sentence, () => {
    assert.deepEqual(FILES.flatMap(importsOf).filter(broken), [], sentence)
  })
}

test('Sockets carry bytes only: setEncoding and readline can abort Node when TLS begins (nodejs/node#58756).', () => {
  const guilty = FILES.filter((file) => file.startsWith('proxy/')).filter((file) =>
    /\.setEncoding\(|node:readline/.test(readFileSync(join(ROOT, file), 'utf8')),
  )
  assert.deepEqual(guilty, [])
})

test('A session ends its sockets in a turn of its own, and only in two files: Node buffers TLS that is ended in a read.', () => {
  const owners = ['proxy/connection/client-connection.ts', 'proxy/connection/upstream-connection.ts']
  const ends = FILES.filter((file) => /^proxy\/(?!check|admin)[\w-]+\.ts$/.test(file)).flatMap((file) => {
    const lines = readFileSync(join(ROOT, file), 'utf8').split('\n')
    return lines.filter((line) => /(socket|tcp)\.(end|destroySoon)\(/.test(line)).map((line) => ({ file, line }))
  })
  assert.ok(ends.length >= owners.length, 'the owners do end their sockets')
  for (const { file, line } of ends) {
    assert.ok(owners.includes(file), `${file}: ${line}`)
    assert.ok(line.includes('setImmediate('), `${file}: ${line}`)
  }
})
