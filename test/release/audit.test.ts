/** Known vulnerabilities: npm asks a registry of the test, which knows one of `pino`, or refuses to answer. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, type TestContext, test } from 'node:test'
import { judge } from '../../release/audit.ts'

const ROOT = join(import.meta.dirname, '../..')

const BUNDLED = new Set(['node_modules/pino'])

interface Audit {
  readonly code: number
  readonly output: string
}

/** Runs the command with a registry that answers so. */
async function audit(context: TestContext, answer: RequestListener): Promise<Audit> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  context.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const registry = ['--registry', `http://127.0.0.1:${port}/`, '--fetch-retries', '0']
  const child = spawn(process.execPath, ['release/main.ts', 'audit', ...registry], { cwd: ROOT })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  return { code, output }
}

/** Answers with one advisory for a package, in all its versions, and without a version that corrects it. */
function advisory(name: string, severity: string): RequestListener {
  const url = 'https://example.com/advisory'
  const one = { id: 1, url, title: 'Something bad', severity, vulnerable_versions: '*', cwe: [], cvss: { score: 9 } }
  const packument = { name, versions: { '1.0.0': { name, version: '1.0.0' } }, 'dist-tags': {} }
  return (request, response) => {
    response.setHeader('content-type', 'application/json')
    const isQuestion = request.method === 'POST'
    response.end(JSON.stringify(isQuestion ? { [name]: [one] } : packument))
  }
}

describe('npm run audit', { timeout: 120_000 }, () => {
  test('passes if the registry knows no vulnerability', async (context) => {
    const { code, output } = await audit(context, (_, response) => response.end('{}'))
    assert.match(output, /^audit: passed; \d+ packages are in the product\n$/)
    assert.equal(code, 0)
  })

  test('fails for a severe vulnerability in the product', async (context) => {
    const { code, output } = await audit(context, advisory('pino', 'high'))
    assert.match(output, /^high, in the product: pino \*: Something bad \(https:\/\/example\.com\/advisory\)$/m)
    assert.match(output, /^audit: failed/m)
    assert.equal(code, 1)
  })

  test('only lists one in a package that is not in the product', async (context) => {
    const { code, output } = await audit(context, advisory('typescript', 'critical'))
    assert.match(output, /^critical, only in development: typescript \*: Something bad/m)
    assert.equal(code, 0)
  })

  test('does not pass if the registry does not answer', async (context) => {
    const { code, output } = await audit(context, (_, response) => response.writeHead(405).end())
    assert.match(output, /^The registry did not answer, so nothing is known: .*405/)
    assert.match(output, /^audit: unknown/m)
    assert.equal(code, 2)
  })
})

/** A report with one vulnerability. */
function report(severity: string, node: string): string {
  const found = { name: 'one', severity, range: '<2', nodes: [node], via: ['two'] }
  const metadata = { dependencies: { total: 2 } }
  return JSON.stringify({ auditReportVersion: 2, vulnerabilities: { one: found }, metadata })
}

describe('A report', () => {
  const cases: readonly (readonly [severity: string, node: string, outcome: string])[] = [
    ['critical', 'node_modules/pino', 'failed'],
    ['high', 'node_modules/pino', 'failed'],
    ['moderate', 'node_modules/pino', 'passed'],
    ['low', 'node_modules/pino', 'passed'],
    ['critical', 'node_modules/typescript', 'passed'],
    // another copy of the package
    ['critical', 'node_modules/other/node_modules/pino', 'passed'],
  ]
  for (const [severity, node, outcome] of cases)
    test(`with severity ${severity} in ${node}: ${outcome}`, () =>
      assert.equal(judge(report(severity, node), BUNDLED).outcome, outcome))

  for (const output of [
    '',
    'npm ERR!',
    'null',
    '{}',
    '{"message":"no network"}',
    '{"auditReportVersion":2,"vulnerabilities":{}}',
  ])
    test(`that is ${output || 'empty'}: unknown`, () => assert.equal(judge(output, BUNDLED).outcome, 'unknown'))

  test('of another version: unknown', () => {
    const other = report('high', 'node_modules/pino').replace('"auditReportVersion":2', '"auditReportVersion":3')
    assert.equal(judge(other, BUNDLED).outcome, 'unknown')
  })

  test('about no package: unknown', () => {
    const empty = { auditReportVersion: 2, vulnerabilities: {}, metadata: { dependencies: { total: 0 } } }
    assert.equal(judge(JSON.stringify(empty), BUNDLED).outcome, 'unknown')
  })
})
