/** Imports run one way. An import that breaks a rule fails with the sentence that explains the rule. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..')

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

const FILES = globSync(
  '{app,bundle,charts,status,proxy,settings,otel,dashboards,docs,packaging,release,test,bench}/**/*.{ts,js}',
  {
    cwd: ROOT,
  },
)
const IMPORTS = FILES.flatMap(importsOf)

/** Files of proxy/events that hold constants: the values of labels, and a sentence for each reason of a failed dial. */
const CLOSED_SETS = new Set(['proxy/events/closed-sets.ts', 'proxy/events/dial-explanations.ts'])

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

/**
 * Which folder may import which. Every folder lists only folders above it, so no chain of imports leads back. A folder may
 * always import itself; whatever is not listed is forbidden, `import type` included.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  '.': [],
  settings: [],
  'proxy/smtp': [],
  'proxy/events': [],
  'proxy/dialogue': ['proxy/smtp', 'proxy/events'],
  // settings/pem.ts: a certificate that a setting accepts is one that a listener loads
  'proxy/net': ['settings'],
  'proxy/settings': ['settings', 'proxy/net'],
  'proxy/upstream': ['proxy/smtp', 'proxy/events', 'proxy/net', 'proxy/settings'],
  'proxy/connection': ['proxy/events', 'proxy/upstream'],
  'proxy/session': [
    'proxy/smtp',
    'proxy/events',
    'proxy/dialogue',
    'proxy/net',
    'proxy/settings',
    'proxy/upstream',
    'proxy/connection',
  ],
  'proxy/server': [
    'settings',
    'proxy/smtp',
    'proxy/events',
    'proxy/net',
    'proxy/settings',
    'proxy/upstream',
    'proxy/connection',
    'proxy/session',
  ],
  'proxy/admin': ['proxy/net', 'proxy/settings'],
  'otel/names': ['proxy/events'],
  'otel/settings': ['.', 'settings'],
  'otel/instruments': ['otel/names'],
  'otel/metrics': ['proxy/events', 'otel/names', 'otel/instruments'],
  'otel/export': ['.', 'otel/names', 'otel/settings', 'otel/instruments'],
  'otel/records': ['proxy/events', 'otel/names', 'otel/settings', 'otel/metrics', 'otel/export'],
  otel: ['.', 'otel/settings', 'otel/instruments', 'otel/metrics', 'otel/export', 'otel/records'],
  dashboards: ['otel/names'],
  'dashboards/promql': ['otel/names', 'dashboards'],
  'dashboards/alerts': ['otel/names', 'dashboards', 'dashboards/promql'],
  'dashboards/panels': ['otel/names', 'dashboards', 'dashboards/promql', 'dashboards/alerts'],
  'dashboards/boards': ['dashboards/alerts', 'dashboards/panels'],
  'dashboards/boards/mail-health': ['dashboards/promql', 'dashboards/alerts', 'dashboards/panels', 'dashboards/boards'],
  'dashboards/boards/refusals': [
    'dashboards',
    'dashboards/promql',
    'dashboards/alerts',
    'dashboards/panels',
    'dashboards/boards',
  ],
  'dashboards/boards/limits': ['dashboards/promql', 'dashboards/alerts', 'dashboards/panels', 'dashboards/boards'],
  'dashboards/boards/proxy': [
    'dashboards',
    'dashboards/promql',
    'dashboards/alerts',
    'dashboards/panels',
    'dashboards/boards',
  ],
  // the version in the names of the images
  'dashboards/alertmanager': ['.', 'settings', 'dashboards/alerts'],
  'dashboards/monitoring': [],
  'dashboards/generate': [
    'dashboards/promql',
    'dashboards/alerts',
    'dashboards/boards/mail-health',
    'dashboards/boards/refusals',
    'dashboards/boards/limits',
    'dashboards/boards/proxy',
    'dashboards/alertmanager',
  ],
  status: ['proxy/events', 'otel/names', 'otel/metrics', 'otel/records'],
  'status/page': ['proxy/admin', 'otel/names', 'status'],
  // otel/records: a tail shows the same records as the log; settings: its filters are read like settings
  'status/tail': ['settings', 'proxy/events', 'proxy/admin', 'otel/records'],
  'app/conversation': ['proxy/smtp'],
  'app/probe': [
    'settings',
    'proxy/smtp',
    'proxy/events',
    'proxy/dialogue',
    'proxy/net',
    'proxy/settings',
    'proxy/upstream',
    // the replies that are the proxy's own and not AhaSend's
    'proxy/session',
    'proxy/admin',
    'otel/names',
    'otel/metrics',
    'app/conversation',
  ],
  'app/check/steps': [
    'settings',
    'proxy/net',
    'proxy/settings',
    'proxy/server',
    'otel/names',
    'otel/settings',
    'otel/export',
    // the receivers of alerts: their settings, and the names that compose.yaml reads
    'dashboards/alertmanager',
    // the names of its settings
    'app/probe',
  ],
  'app/check/upstream': [
    'settings',
    'proxy/smtp',
    'proxy/events',
    'proxy/dialogue',
    'proxy/settings',
    'proxy/upstream',
    'otel/names',
    'app/conversation',
    'app/check/steps',
  ],
  'app/check': [
    'settings',
    'proxy/settings',
    'proxy/upstream',
    'proxy/server',
    'otel/settings',
    'app/conversation',
    'app/check/steps',
    'app/check/upstream',
  ],
  app: [
    '.',
    'settings',
    'proxy/events',
    'proxy/net',
    'proxy/settings',
    'proxy/session',
    'proxy/server',
    'proxy/admin',
    'otel/settings',
    'otel/metrics',
    'otel/export',
    'otel/records',
    'otel',
    'status',
    'status/page',
    'status/tail',
    'app/check',
    'app/probe',
  ],
  bundle: ['.'],
  // what the bundle contains
  release: ['.', 'bundle'],
  // the names of all settings, and the files that the chart contains
  'charts/generate': ['.', 'settings', 'proxy/settings', 'otel/settings', 'dashboards/generate', 'app/probe'],
  // everything that documents itself as data
  'docs/generate': [
    'app',
    'app/probe',
    'settings',
    'proxy/settings',
    'proxy/session',
    'otel/names',
    'otel/settings',
    'otel/metrics',
    'dashboards/alerts',
    'dashboards/alertmanager',
    'charts/generate',
  ],
  'packaging/deb': ['.', 'bundle'],
}

const TOP_LEVEL = [
  'app',
  'bundle',
  'charts',
  'status',
  'settings',
  'proxy',
  'otel',
  'dashboards',
  'docs',
  'packaging',
  'release',
]

const isSource = (path: string) => TOP_LEVEL.some((folder) => path.startsWith(`${folder}/`))
const isTest = (path: string) => /^(test|bench)\//.test(path)

const RULES: readonly Rule[] = [
  {
    sentence: 'A folder imports only the folders that MAY_IMPORT lists for it.',
    broken: ({ from, to }) => isSource(from) && isPath(to) && !mayImport(dirname(from), dirname(to)),
  },
  {
    sentence: 'The grammar, the events and the dialogue are pure: no socket, timer, file or clock.',
    broken: ({ from, to }) => /^proxy\/(smtp|events|dialogue)\//.test(from) && to.startsWith('node:'),
  },
  {
    sentence: 'The session asks for its position: only proxy/session/observation.ts feeds the dialogue.',
    broken: ({ from, to }) =>
      to === 'proxy/dialogue/dialogue.ts' && isSource(from) && from !== 'proxy/session/observation.ts',
  },
  {
    sentence: 'app/entry.js imports nothing before it handles signals: process 1 gets no signal without a handler.',
    broken: ({ from }) => from === 'app/entry.js',
  },
  {
    sentence: 'The proxy works without OpenTelemetry: only app/ connects the two.',
    broken: ({ from, to }) => from.startsWith('proxy/') && to.startsWith('@opentelemetry/'),
  },
  {
    sentence: 'Telemetry takes events and gives nothing back: from the proxy it imports only types and closed sets.',
    broken: ({ from, to, typeOnly }) =>
      from.startsWith('otel/') && to.startsWith('proxy/') && !typeOnly && !CLOSED_SETS.has(to),
  },
  {
    sentence: 'Nothing outside test/ and bench/ imports them: the appliance runs without them.',
    broken: ({ from, to }) => !isTest(from) && isTest(to),
  },
]

function isPath(to: string): boolean {
  return to.includes('/') ? TOP_LEVEL.includes(to.split('/')[0] ?? '') : to === 'package.json'
}

function mayImport(from: string, to: string): boolean {
  return from === to || (MAY_IMPORT[from]?.includes(to) ?? false)
}

test('the files and their imports are found', () => {
  assert.ok(FILES.length > 50)
  assert.ok(IMPORTS.some(({ from, to }) => from === 'app/main.ts' && to === 'otel/sdk.ts'))
  const metrics = IMPORTS.filter(({ from }) => from === 'otel/metrics/session-metrics.ts')
  assert.ok(metrics.some(({ to, typeOnly }) => to === 'proxy/events/session-event.ts' && typeOnly))
})

test('MAY_IMPORT names every folder that holds source files, and lists no folder that is never imported', () => {
  const folders = new Set(FILES.filter(isSource).map((file) => dirname(file)))
  assert.deepEqual(
    [...folders].filter((folder) => MAY_IMPORT[folder] === undefined),
    [],
  )
  const unused = Object.entries(MAY_IMPORT).flatMap(([folder, others]) =>
    others
      .filter((other) => !IMPORTS.some(({ from, to }) => dirname(from) === folder && dirname(to) === other))
      .map((other) => `${folder} -> ${other}`),
  )
  assert.deepEqual(unused, [])
})

test('the table of folders in DESIGN.md lists the imports of MAY_IMPORT', () => {
  const rows = readFileSync(join(ROOT, 'DESIGN.md'), 'utf8').matchAll(
    /^\| `(?<folder>[\w/-]+)` \|.*\| (?<imports>[^|]*) \|$/gm,
  )
  const documented = new Map([...rows].map(({ groups }) => [groups?.folder, groups?.imports]))
  for (const [folder, others] of Object.entries(MAY_IMPORT)) {
    if (folder === '.') continue
    const names = others.map((other) => `\`${other === '.' ? 'package.json' : other}\``)
    assert.equal(documented.get(folder), names.join(', ') || 'nothing', folder)
  }
})

test('MAY_IMPORT runs one way: each folder lists only folders above it', () => {
  const order = Object.keys(MAY_IMPORT)
  const back = Object.entries(MAY_IMPORT).flatMap(([folder, others]) =>
    others.filter((other) => order.indexOf(other) >= order.indexOf(folder)).map((other) => `${folder} -> ${other}`),
  )
  assert.deepEqual(back, [])
})

test('no file is part of an import cycle, `import type` included', () => {
  assert.deepEqual(cycles(), [])
})

/** Every file that reaches itself through imports, with the path that leads back to it. */
function cycles(): string[] {
  const imported = Map.groupBy(IMPORTS, ({ from }) => from)
  const next = (file: string) => (imported.get(file) ?? []).map(({ to }) => to)
  return FILES.flatMap((file) => {
    const cycle = pathBack(file, next)
    return cycle === undefined ? [] : [cycle.join(' -> ')]
  })
}

function pathBack(file: string, next: (file: string) => readonly string[]): readonly string[] | undefined {
  const seen = new Set<string>()
  const open = next(file).map((to) => [file, to])
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const last = path.at(-1) ?? ''
    if (last === file) return path
    if (seen.has(last)) continue
    seen.add(last)
    for (const to of next(last)) open.push([...path, to])
  }
  return undefined
}

for (const { sentence, broken } of RULES) {
  test(sentence, () => {
    assert.deepEqual(IMPORTS.filter(broken), [], sentence)
  })
}

test('The settings engine defines no variable: each group of variables has a table of its own.', () => {
  const guilty = FILES.filter((file) => file.startsWith('settings/')).filter((file) =>
    /'[A-Z]+_[A-Z_]+'/.test(readFileSync(join(ROOT, file), 'utf8')),
  )
  assert.deepEqual(guilty, [])
})

test('Sockets carry bytes only: setEncoding and readline can abort Node when TLS begins (nodejs/node#58756). (R9)', () => {
  const guilty = FILES.filter((file) => file.startsWith('proxy/')).filter((file) =>
    /\.setEncoding\(|node:readline/.test(readFileSync(join(ROOT, file), 'utf8')),
  )
  assert.deepEqual(guilty, [])
})

test('A session ends its sockets in a turn of its own, and only in two files: Node buffers TLS that is ended in a read.', () => {
  const owners = ['proxy/connection/client-connection.ts', 'proxy/connection/upstream-connection.ts']
  const ends = FILES.filter((file) => /^proxy\/(connection|session)\//.test(file)).flatMap((file) => {
    const lines = readFileSync(join(ROOT, file), 'utf8').split('\n')
    return lines.filter((line) => /(socket|tcp)\.(end|destroySoon)\(/.test(line)).map((line) => ({ file, line }))
  })
  assert.ok(ends.length >= owners.length, 'the owners do end their sockets')
  for (const { file, line } of ends) {
    assert.ok(owners.includes(file), `${file}: ${line}`)
    assert.ok(line.includes('setImmediate('), `${file}: ${line}`)
  }
})
