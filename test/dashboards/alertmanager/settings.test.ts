/** What ALERT_* variables make of the receivers. Through the program: `alertmanager.test.ts`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Notifications, readNotifications } from '../../../dashboards/alertmanager/settings.ts'

type Env = Readonly<Record<string, string>>

const EMAIL = { to: 'a@b.example', from: 'c@d.example', smarthost: 'mail.example:25', tls: true }
const EMAIL_ENV = {
  ALERT_EMAIL_TO: EMAIL.to,
  ALERT_EMAIL_FROM: EMAIL.from,
  ALERT_EMAIL_SMARTHOST: EMAIL.smarthost,
}

describe('Receivers: ', () => {
  const ACCEPTED: readonly (readonly [title: string, Env, Partial<Notifications>])[] = [
    ['none', {}, {}],
    [
      'a webhook, without blanks around its URL',
      { ALERT_WEBHOOK_URL: ' http://h/x ' },
      { webhookUrl: 'http://h/x', receivers: ['webhook'] },
    ],
    ['a blank is not a value', { ALERT_SLACK_CHANNEL: ' ', ALERT_EMAIL_TO: ' ' }, {}],
    ['a repetition of its own', { ALERT_REPEAT: '1d12h' }, { repeat: '1d12h' }],
    ['email', EMAIL_ENV, { email: EMAIL, receivers: ['email'] }],
    [
      'email without TLS',
      { ...EMAIL_ENV, ALERT_EMAIL_TLS: 'off' },
      { email: { ...EMAIL, tls: false }, receivers: ['email'] },
    ],
    [
      'email with a password, whose blanks belong to it',
      { ...EMAIL_ENV, ALERT_EMAIL_USER: 'me', ALERT_EMAIL_PASSWORD: ' pass word ' },
      { email: { ...EMAIL, user: 'me', password: ' pass word ' }, receivers: ['email'] },
    ],
  ]
  for (const [title, env, notifications] of ACCEPTED)
    test(title, () =>
      assert.deepEqual(readNotifications(env), { notifications: { repeat: '4h', receivers: [], ...notifications } }),
    )
})

test('a mistake quotes no key in the path of a URL', () => {
  const key = 'abcdefghijklmnopqrstuvwx'
  assert.deepEqual(readNotifications({ ALERT_SLACK_URL: `hooks.slack.example/services/T/B/${key}` }), {
    mistakes: [
      'ALERT_SLACK_URL: got "hooks.slack.example/services/T/B/***", expected an http or https URL. Correct it, or unset it.',
    ],
  })
})
