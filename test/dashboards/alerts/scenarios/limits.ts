/** Alerts about AhaSend's limits. */
import { grow, hold, LONG_RUNNING, type Scenario } from './scenario.ts'
import { BILLING, reply } from './series.ts'

/** The first refusals at a limit are a warning for an hour. */
function firstRefusals(alert: Scenario['alert'], replies: string, count: number, description: string): Scenario {
  return {
    name: 'the first refusals at the limit are a warning',
    alert,
    every: 1,
    series: { ...LONG_RUNNING, [replies]: [hold(0, 20), hold(count, 70)] },
    fires: [[19], [21, { severity: 'warning', labels: BILLING, description }], [85]],
  }
}

const CLIENT = 'smtp_transaction_outcome="accepted", smtp_client_name="billing"'
const size = (bound: string) => `smtp_proxy_message_size_bytes_bucket{${CLIENT}, le="${bound}"}`
const nearSize = {
  severity: 'info',
  labels: { smtp_client_name: 'billing' },
  description:
    'In the last hour, billing sent messages above 15 MiB. AhaSend refuses messages above 20 MiB (20,971,520 bytes). Headers count, and base64 makes attachments a third larger.',
} as const

export const MESSAGE_SIZE: readonly Scenario[] = [
  {
    name: 'a message above 15 MiB is an info for an hour, a message of 10 MiB does not fire',
    alert: 'AhaSendMessageSizeLimit',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [size('1024')]: [grow(0, 1, 120)],
      [size('1.048576e+07')]: [grow(0, 1, 120)],
      [size('1.572864e+07')]: [grow(0, 1, 20), grow(21, 1, 100)],
      [size('2.097152e+07')]: [grow(0, 1, 20), grow(21, 1, 10), grow(32, 1, 90)],
      [size('+Inf')]: [grow(0, 1, 20), grow(21, 1, 10), grow(32, 1, 90)],
    },
    fires: [[19], [25], [31, nearSize], [85, nearSize], [95]],
  },
  firstRefusals(
    'AhaSendMessageSizeLimit',
    reply('END-OF-MESSAGE', 552, 'message_too_big'),
    1,
    'send.ahasend.com refused 1 messages from billing in the last hour because their encoded size is above 20 MiB (20,971,520 bytes). Sending them again does not help.',
  ),
]

const inMessages = (bound: string) =>
  `smtp_proxy_message_recipients_bucket{smtp_transaction_outcome="accepted", le="${bound}"}`

export const RECIPIENT_LIMIT: readonly Scenario[] = [
  {
    name: 'a message with more than 40 recipients is an info for an hour, a message with 30 does not fire',
    alert: 'AhaSendRecipientLimit',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [inMessages('20')]: [grow(0, 1, 10), grow(9, 1, 10), grow(19, 1, 100)],
      [inMessages('40')]: [grow(0, 1, 20), grow(20, 1, 100)],
      [inMessages('50')]: [grow(0, 1, 20), grow(21, 1, 100)],
      [inMessages('+Inf')]: [grow(0, 1, 20), grow(21, 1, 100)],
    },
    fires: [
      [19],
      [
        21,
        {
          severity: 'info',
          description:
            'Messages with more than 40 recipients were sent in the last hour. AhaSend accepts 50 recipients per message and refuses further recipients with 452.',
        },
      ],
      [85],
    ],
  },
  firstRefusals(
    'AhaSendRecipientLimit',
    reply('RCPT', 452, 'too_many_recipients'),
    3,
    'send.ahasend.com refused 3 recipients of billing in the last hour because a message can have at most 50. Apps that do not check the reply to each recipient never send the message to the refused ones.',
  ),
]

const perSession = (bound: string) =>
  `smtp_proxy_session_messages_bucket{server_address="send.ahasend.com", le="${bound}"}`

export const CONNECTION_LIMIT: readonly Scenario[] = [
  {
    name: 'a connection with more than 9,000 messages is an info for an hour',
    alert: 'AhaSendConnectionLimit',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [perSession('9000')]: [grow(0, 1, 20), grow(20, 1, 100)],
      [perSession('10000')]: [grow(0, 1, 20), grow(21, 1, 100)],
      [perSession('+Inf')]: [grow(0, 1, 20), grow(21, 1, 100)],
    },
    fires: [
      [19],
      [
        21,
        {
          severity: 'info',
          labels: { server_address: 'send.ahasend.com' },
          description:
            'Some connections to send.ahasend.com carried more than 9,000 messages each in the last hour. AhaSend accepts at most 10,000 messages per connection.',
        },
      ],
      [85],
    ],
  },
  firstRefusals(
    'AhaSendConnectionLimit',
    reply('RCPT', 421, 'connection_limit'),
    2,
    'send.ahasend.com refused billing 2 times in the last hour because a connection had reached a limit. The app must send these messages again on a new connection.',
  ),
]
