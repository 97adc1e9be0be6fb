/** The images of compose.yaml: those of the project are pulled in its version, or built with compose.build.yaml. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import packageJson from '../../package.json' with { type: 'json' }
import { BUILDING, type Project, readProject, services } from '../support/containers/compose.ts'
import { composeMissing, ROOT } from '../support/containers/engine.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import { unless } from '../support/programs/programs.ts'

/** Every service: those of all profiles. */
const ALL = { env: { COMPOSE_PROFILES: '*' } }

const OWN = ['ghcr.io/ahasend/ahasend-smtp-proxy', 'ghcr.io/ahasend/ahasend-smtp-proxy-rehearsal']

/** The services that run an image of the project. */
const OF_THE_PROJECT = [
  'alertmanager-config',
  'monitoring-config',
  'probe',
  'probe-names',
  'proxy',
  'proxy-names',
  'rehearsal',
  'replica',
  'traffic',
]

function imagesOf(project: Project, names: readonly string[]): string[] {
  return [...new Set(names.map((name) => project.services[name]?.image ?? ''))].sort()
}

describe('The images of compose.yaml', unless(composeMissing()), () => {
  test('have a pinned version', () => {
    for (const [name, { image }] of services(readProject(ALL)))
      assert.match(image, /:v?[0-9]+\.[0-9]+\.[0-9]+(-alpine)?$/, name)
  })

  test('are those of this version of the project, and nothing is built', () => {
    const project = readProject(ALL)
    const published = OWN.map((name) => `${name}:${packageJson.version}`).sort()
    assert.deepEqual(
      imagesOf(project, OF_THE_PROJECT),
      published,
      'write the version of package.json into compose.yaml',
    )
    const using = services(project).flatMap(([name, { image }]) => (published.includes(image) ? [name] : []))
    assert.deepEqual(using.sort(), OF_THE_PROJECT, 'list the service here and in compose.build.yaml')
    for (const [name, { build, pull_policy }] of services(project))
      assert.deepEqual([build, pull_policy], [undefined, undefined], name)
  })

  test('have the commit as their label when they are built', () => {
    const project = readProject({ env: { ...ALL.env, REVISION: 'a-commit' }, files: BUILDING })
    const built = services(project).flatMap(([name, { build }]) => (build ? [[name, build.args?.REVISION]] : []))
    assert.deepEqual(built.sort(), [
      ['proxy', 'a-commit'],
      ['rehearsal', 'a-commit'],
    ])
  })

  test('can be replaced, also when they are built', () => {
    const env = { ...ALL.env, PROXY_IMAGE: 'mirror.example/proxy:1', REHEARSAL_IMAGE: 'mirror.example/rehearsal:1' }
    for (const files of [['compose.yaml'], BUILDING])
      assert.deepEqual(imagesOf(readProject({ env, files }), OF_THE_PROJECT), [env.PROXY_IMAGE, env.REHEARSAL_IMAGE])
  })
})

describe('With compose.build.yaml', unless(composeMissing()), () => {
  test('each image of the project is built once, under a name that no registry has, and never pulled', () => {
    const project = readProject({ ...ALL, files: BUILDING })
    const built = services(project).flatMap(([name, { build }]) => (build ? [name] : []))
    assert.deepEqual(built.sort(), ['proxy', 'rehearsal'])
    assert.deepEqual(imagesOf(project, OF_THE_PROJECT), ['ahasend-smtp-proxy', 'ahasend-smtp-proxy-rehearsal'])
    for (const name of OF_THE_PROJECT)
      if (!built.includes(name)) assert.equal(project.services[name]?.pull_policy, 'never', name)
  })

  test('nothing else changes', () => {
    const without = (files: readonly string[]) =>
      services(readProject({ ...ALL, files })).map(([name, { build, image, pull_policy, environment, ...rest }]) => [
        name,
        OF_THE_PROJECT.includes(name) || image,
        // the name of the settings file, which is a temporary one, is in some
        Object.keys(environment ?? {}),
        rest,
      ])
    assert.deepEqual(without(BUILDING), without(['compose.yaml']))
  })

  test('COMPOSE_FILE in .env selects it', () => {
    using directory = temporaryDirectory('project-')
    for (const name of BUILDING) writeFileSync(join(directory.path, name), readFileSync(join(ROOT, name)))
    const { services: all } = readProject({ env: { COMPOSE_FILE: BUILDING.join(':') }, files: [], cwd: directory.path })
    assert.equal(all.proxy?.build?.context, directory.path)
  })

  test('another project can include both files, and the build uses the sources next to them', () => {
    using directory = temporaryDirectory('project-')
    const file = join(directory.path, 'compose.yaml')
    writeFileSync(file, JSON.stringify({ include: [{ path: BUILDING.map((name) => join(ROOT, name)) }] }))
    assert.equal(readProject({ files: [file] }).services.proxy?.build?.context, ROOT.replace(/\/$/, ''))
  })
})
