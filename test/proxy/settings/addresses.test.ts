/** Addresses of listeners, upstreams and the admin server. What is refused: `mistakes.test.ts`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { admin, authority, listeners, upstreams } from '../../../proxy/settings/addresses.ts'
import type { Reader } from '../../../settings/readers.ts'

describe('An address is read: ', () => {
  const listener = { scheme: 'smtp', host: '::1', port: 25, starttlsRequired: false }
  const ACCEPTED: readonly (readonly [reader: string, Reader<unknown>, text: string, value: unknown])[] = [
    ['listeners', listeners, '', []],
    ['listeners', listeners, 'smtp://[::1]:25', [{ ...listener, url: 'smtp://[::1]:25' }]],
    ['listeners', listeners, 'SMTPS://[::1]:25', [{ ...listener, url: 'SMTPS://[::1]:25', scheme: 'smtps' }]],
    [
      'listeners',
      listeners,
      'smtp://[::1]:25?starttls=required',
      [{ ...listener, url: 'smtp://[::1]:25?starttls=required', starttlsRequired: true }],
    ],
    [
      'listeners',
      listeners,
      'smtp://[::1]:25?starttls=required&client=billing',
      [
        {
          ...listener,
          url: 'smtp://[::1]:25?starttls=required&client=billing',
          starttlsRequired: true,
          client: 'billing',
        },
      ],
    ],
    [
      'listeners',
      listeners,
      'smtps://[::1]:25?client=web-2.x_y',
      [{ ...listener, url: 'smtps://[::1]:25?client=web-2.x_y', scheme: 'smtps', client: 'web-2.x_y' }],
    ],
    ['upstreams', upstreams, 'smtp://Send.Example:587', [{ host: 'send.example', port: 587, tls: true }]],
    ['upstreams', upstreams, 'smtp://10.0.0.1:25?tls=off', [{ host: '10.0.0.1', port: 25, tls: false }]],
    ['admin server', admin, 'http://[::1]:0', { host: '::1', port: 0 }],
    ['admin server', admin, 'off', undefined],
  ]
  for (const [reader, read, text, value] of ACCEPTED)
    test(`${reader}: ${text || 'nothing'}`, () => assert.deepEqual(read(text), { value }))
})

test('credentials are not quoted, also if they contain a comma', () => {
  const fix = 'Remove the credentials: apps send their own, and the proxy relays them unchanged.'
  const faults = [{ got: '(credentials, not shown)', expected: 'URLs without credentials', fix }]
  assert.deepEqual(upstreams('smtp://user:hunter,2@send.example:587'), { faults })
})

test('an authority has brackets around an IPv6 address', () => {
  assert.equal(authority({ host: '::1', port: 25 }), '[::1]:25')
  assert.equal(authority({ host: 'localhost', port: 25 }), 'localhost:25')
})
