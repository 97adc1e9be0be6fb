/** Tempo's image with otel/stack/tempo.yaml: it starts, accepts the proxy's spans and finds them. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { IMAGES, imageMissing } from '../support/containers/engine.ts'
import { accepted, eventually, fetched, press, type Stack, startStack } from '../support/containers/stack.ts'

/** Skips the tests when an image is missing. */
const needs = { skip: imageMissing(IMAGES.TEMPO_IMAGE) ?? imageMissing(IMAGES.NODE_IMAGE) ?? false }

interface Found {
  readonly traces?: readonly { readonly rootServiceName: string; readonly rootTraceName: string }[]
}

describe('Tempo', () => {
  const services = ['proxy', 'tempo', 'rehearsal', 'traffic']
  let stack: Stack
  before(async () => {
    if (needs.skip) return
    stack = await startStack(services)
  })
  after(() => stack?.down())

  /** Requests a page of Tempo from the proxy's container, which has Node and reaches Tempo. */
  const asked = async (path: string) => {
    const answer = await fetched(stack.container('proxy'), `http://tempo:3200${path}`)
    assert.equal(answer?.status, 200, answer?.body)
    return answer.body
  }

  const found = async (traceql: string) => {
    const parameters = new URLSearchParams({ q: traceql, limit: '5' })
    return (JSON.parse(await asked(`/api/search?${parameters}`)) as Found).traces ?? []
  }

  test('becomes healthy with a read-only root file system', needs, async () => {
    await stack.healthy(services)
    assert.equal(stack.describe('tempo').HostConfig.ReadonlyRootfs, true)
  })

  test('keeps traces for the configured time', needs, async () => {
    assert.match(await asked('/status/config'), /block_retention: (336h0m0s|2w)/)
  })

  test('finds accepted messages', needs, async () => {
    await accepted(stack.container('rehearsal'), 5)
    const query = '{ resource.service.name = "ahasend-smtp-proxy" && name = "smtp.transaction" }'
    await eventually('Tempo finds an accepted message', async () => (await found(query)).length > 0)
    const [trace] = await found(query)
    assert.deepEqual([trace?.rootServiceName, trace?.rootTraceName], ['ahasend-smtp-proxy', 'smtp.transaction'])
  })

  test('finds a refused message by its cause', needs, async () => {
    await press(stack.container('rehearsal'), 'one-521')
    const query = '{ span.smtp.reply.cause = "account_disabled" && status = error }'
    await eventually('Tempo finds the refused message', async () => (await found(query)).length > 0)
  })
})
