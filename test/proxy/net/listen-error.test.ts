import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ListenError, listenError } from '../../../proxy/net/listen-error.ts'
import { ForeignHost } from '../../../proxy/net/own-addresses.ts'

/** An error code, and the reason in the message. */
const REASONS: readonly (readonly [code: string, reason: RegExp])[] = [
  ['EADDRINUSE', /: the port is taken: stop the other program or choose another port$/],
  ['EACCES', /: this user may not open it: choose a port above 1023$/],
  ['EADDRNOTAVAIL', /: this machine has no such address: /],
  ['EAFNOSUPPORT', /: this machine has no IPv6: /],
  ['ENOTFOUND', /: the host name does not resolve: /],
  ['EAI_AGAIN', /: the resolver does not answer for the host name: /],
  ['EUNKNOWN', /: EUNKNOWN: check host and port$/],
]

for (const [code, reason] of REASONS) {
  test(`${code}: the message names the setting, the URL and the fix`, () => {
    const cause = Object.assign(new Error('listen failed'), { code })
    const error = listenError('PROXY_LISTEN', 'smtp://127.0.0.1:25', cause)
    assert.ok(error instanceof ListenError)
    assert.match(error.message, /^PROXY_LISTEN: cannot listen on smtp:\/\/127\.0\.0\.1:25: /)
    assert.match(error.message, reason)
    assert.equal(error.cause, cause)
  })
}

test('an error without a code is shown by its message, and an alternative is appended', () => {
  const { message } = listenError('PROXY_ADMIN', 'http://[::1]:9464', new Error('no idea'), ', or set it to off')
  assert.equal(
    message,
    'PROXY_ADMIN: cannot listen on http://[::1]:9464: no idea: check host and port, or set it to off',
  )
})

test('a host name of other machines is shown with its addresses and the fix', () => {
  const cause = new ForeignHost('the host name resolves to 192.0.2.1, which this machine does not have')
  const { message } = listenError('PROXY_ADMIN', 'http://proxy-admin:9464', cause)
  assert.equal(
    message,
    'PROXY_ADMIN: cannot listen on http://proxy-admin:9464: the host name resolves to 192.0.2.1, which this machine does ' +
      'not have: use a name or an address of this machine',
  )
})
