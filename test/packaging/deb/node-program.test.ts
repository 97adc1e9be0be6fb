import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import packageJson from '../../../package.json' with { type: 'json' }
import { isArchitecture, nodeProgram, ownArchitecture } from '../../../packaging/deb/node-program.ts'

test('Node is the program that npm installed, with its license', () => {
  const { program, license } = nodeProgram(ownArchitecture())
  assert.equal(
    execFileSync(program, ['--version'], { encoding: 'utf8' }).trim(),
    `v${packageJson.devDependencies.node}`,
  )
  assert.match(readFileSync(license, 'utf8'), /^Node\.js is licensed/)
})

test('there are packages for amd64 and arm64 only', () => {
  assert.deepEqual(['amd64', 'arm64', 'x64', 'toString'].filter(isArchitecture), ['amd64', 'arm64'])
})
