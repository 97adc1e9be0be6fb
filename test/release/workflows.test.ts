/** The workflows in .github/workflows/: valid, with pinned actions and few permissions. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import packageJson from '../../package.json' with { type: 'json' }
import { fileOf, missing, unless } from '../support/programs/programs.ts'

const ROOT = join(import.meta.dirname, '../..')
const FOLDER = '.github/workflows'
const NAMES = ['ci.yaml', 'release.yaml']

interface Job {
  readonly uses?: string
  readonly permissions?: Readonly<Record<string, string>>
  readonly 'timeout-minutes'?: number
  readonly steps?: readonly Step[]
}

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}

interface Workflow {
  readonly permissions?: unknown
  readonly defaults?: { readonly run?: { readonly shell?: string } }
  readonly jobs: Readonly<Record<string, Job>>
}

const textOf = (name: string) => readFileSync(join(ROOT, FOLDER, name), 'utf8')
const workflowOf = (name: string) => parse(textOf(name)) as Workflow
const jobsOf = (name: string) => Object.entries(workflowOf(name).jobs)

/** Lines with an action that is not pinned by a commit, or whose comment does not name the version. */
function unpinned(workflow: string): string[] {
  const lines = workflow.split('\n').filter((line) => /^\s*(?:- )?uses:/.test(line))
  return lines.filter((line) => !/uses: (?:\.\/\S+|[\w-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/.test(line))
}

const SHELLCHECK = spawnSync('shellcheck', ['--version']).status === 0 ? undefined : 'shellcheck is not installed'

test('all workflows are tested here', () => {
  assert.deepEqual(globSync('*', { cwd: join(ROOT, FOLDER) }).sort(), NAMES)
})

test('actionlint and shellcheck find nothing', unless(missing('actionlint'), SHELLCHECK), () => {
  const files = NAMES.map((name) => join(FOLDER, name))
  const { status, stdout, stderr } = spawnSync(fileOf('actionlint'), files, { cwd: ROOT, encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr], [0, '', ''])
})

test('shellcheck finds nothing in the scripts of CI', unless(SHELLCHECK), () => {
  const scripts = globSync('.ci/*', { cwd: ROOT })
  assert.ok(scripts.length >= 4)
  const { status, stdout } = spawnSync('shellcheck', scripts, { cwd: ROOT, encoding: 'utf8' })
  assert.deepEqual([status, stdout], [0, ''])
})

test('actionlint finds mistakes, also in the shell commands', unless(missing('actionlint'), SHELLCHECK), () => {
  const input = 'on: push\njobs:\n  one:\n    runs-on: ubuntu-99.99\n    steps:\n      - run: echo $HOME\n'
  const { status, stdout } = spawnSync(fileOf('actionlint'), ['-'], { input, encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stdout, /label "ubuntu-99\.99" is unknown/)
  assert.match(stdout, /SC2086/)
})

for (const name of NAMES) {
  describe(name, () => {
    test('pins all actions by a commit, and names their versions', () => {
      assert.deepEqual(unpinned(textOf(name)), [])
    })

    test('gives no permission to all jobs, and each job only what it lists', () => {
      assert.deepEqual(workflowOf(name).permissions, {})
      for (const [job, { permissions }] of jobsOf(name)) assert.ok(permissions !== undefined, job)
    })

    // without this line, the shell has no `pipefail`
    test('fails when the first command of a pipe fails', () => {
      assert.equal(workflowOf(name).defaults?.run?.shell, 'bash')
    })

    test('puts no expression into a shell command, which the name of a branch could change', () => {
      for (const [job, { steps = [] }] of jobsOf(name))
        for (const { run = '' } of steps) assert.doesNotMatch(run, /\$\{\{/, job)
    })

    test('limits the time of each job', () => {
      for (const [job, { uses, 'timeout-minutes': minutes }] of jobsOf(name))
        if (uses === undefined) assert.ok((minutes ?? 1000) <= 90, job)
    })

    test('leaves no credentials in the checked out files', () => {
      const steps = jobsOf(name).flatMap(([, { steps = [] }]) => steps)
      const checkouts = steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'))
      assert.ok(checkouts.length > 0)
      for (const checkout of checkouts) assert.equal(checkout.with?.['persist-credentials'], false)
    })

    test('runs only scripts that exist', () => {
      const commands = jobsOf(name).flatMap(([, { steps = [] }]) => steps.map(({ run = '' }) => run))
      for (const [, script = ''] of commands.join('\n').matchAll(/npm run ([\w:-]+)/g))
        assert.ok(script in packageJson.scripts, script)
    })
  })
}

test('a job with permission to write runs nothing that npm installs', () => {
  const writing = jobsOf('release.yaml').filter(([, { permissions = {} }]) =>
    Object.values(permissions).includes('write'),
  )
  assert.ok(writing.length > 0)
  for (const [job, { steps = [] }] of writing)
    for (const { run = '' } of steps) assert.doesNotMatch(run, /\b(npm|npx|node) /, job)
})

describe('An action without a pin is found', () => {
  const commit = '0123456789abcdef0123456789abcdef01234567'
  const cases: readonly (readonly [line: string, isFound: boolean])[] = [
    [`- uses: actions/checkout@${commit} # v7.0.1`, false],
    [`  uses: ./.github/workflows/ci.yaml`, false],
    ['- uses: actions/checkout@v7', true],
    [`- uses: actions/checkout@${commit}`, true],
    [`- uses: actions/checkout@${commit} # v7`, true],
    [`- uses: actions/checkout@${commit.slice(1)} # v7.0.1`, true],
  ]
  for (const [line, isFound] of cases) test(line, () => assert.equal(unpinned(line).length === 1, isFound))
})
