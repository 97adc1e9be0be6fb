/** AhaSend's limits. */
import { grow, hold, type Scenario, UP } from './scenario.ts'
import { BILLING, reply } from './series.ts'

const CLIENT = 'smtp_transaction_outcome="accepted", smtp_client_name="billing"'
const size = (bound: string) => `smtp_proxy_message_size_bytes_bucket{${CLIENT}, le="${bound}"}`
const nearSize = {
  severity: 'info',
  labels: { smtp_client_name: 'billing' },
  description:
    'billing sent messages above 15 MiB in the last hour. AhaSend refuses messages above 20 MiB (20,971,520 bytes). Headers count, and base64 makes attachments a third larger.',
} as const

export const MESSAGE_SIZE: readonly Scenario[] = [
  {
    name: 'a mail above 15 MiB is a hint for an hour, one of 10 MiB is none',
    alert: 'AhaSendMessageSizeLimit',
    every: 1,
    series: {
      ...UP,
      [size('1024')]: [grow(0, 1, 120)],
      [size('1.048576e+07')]: [grow(0, 1, 120)],
      [size('1.572864e+07')]: [grow(0, 1, 20), grow(21, 1, 100)],
      [size('2.097152e+07')]: [grow(0, 1, 20), grow(21, 1, 10), grow(32, 1, 90)],
      [size('+Inf')]: [grow(0, 1, 20), grow(21, 1, 10), grow(32, 1, 90)],
    },
    fires: [[19], [25], [31, nearSize], [85, nearSize], [95]],
  },
  {
    name: 'a mail that is refused as too big is a warning, from the first on',
    alert: 'AhaSendMessageSizeLimit',
    every: 1,
    series: { ...UP, [reply('END-OF-MESSAGE', 552, 'message_too_big')]: [hold(0, 20), hold(1, 70)] },
    fires: [
      [19],
      [
        21,
        {
          severity: 'warning',
          labels: BILLING,
          description:
            'send.ahasend.com refused 1 messages from billing in the last hour because their encoded size is above 20 MiB (20,971,520 bytes). Sending them again does not help.',
        },
      ],
      [85],
    ],
  },
]

const inMails = (bound: string) =>
  `smtp_proxy_message_recipients_bucket{smtp_transaction_outcome="accepted", le="${bound}"}`

export const RECIPIENT_LIMIT: readonly Scenario[] = [
  {
    name: 'a mail with more than 40 recipients is a hint for an hour, one with 30 is none',
    alert: 'AhaSendRecipientLimit',
    every: 1,
    series: {
      ...UP,
      [inMails('20')]: [grow(0, 1, 10), grow(9, 1, 10), grow(19, 1, 100)],
      [inMails('40')]: [grow(0, 1, 20), grow(20, 1, 100)],
      [inMails('50')]: [grow(0, 1, 20), grow(21, 1, 100)],
      [inMails('+Inf')]: [grow(0, 1, 20), grow(21, 1, 100)],
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
  {
    name: 'recipients beyond the limit are a warning, from the first on',
    alert: 'AhaSendRecipientLimit',
    every: 1,
    series: { ...UP, [reply('RCPT', 452, 'too_many_recipients')]: [hold(0, 20), hold(3, 70)] },
    fires: [
      [19],
      [
        21,
        {
          severity: 'warning',
          labels: BILLING,
          description:
            'send.ahasend.com refused 3 recipients of billing in the last hour because a message can have at most 50. Apps that do not check the reply to each recipient never send the message to the refused ones.',
        },
      ],
      [85],
    ],
  },
]

const perSession = (bound: string) =>
  `smtp_proxy_session_messages_bucket{server_address="send.ahasend.com", le="${bound}"}`

export const CONNECTION_LIMIT: readonly Scenario[] = [
  {
    name: 'a connection with more than 9,000 mails is a hint, for an hour',
    alert: 'AhaSendConnectionLimit',
    every: 1,
    series: {
      ...UP,
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
  {
    name: 'a refusal at the limit is a warning, from the first on',
    alert: 'AhaSendConnectionLimit',
    every: 1,
    series: { ...UP, [reply('RCPT', 421, 'connection_limit')]: [hold(0, 20), hold(2, 70)] },
    fires: [
      [19],
      [
        21,
        {
          severity: 'warning',
          labels: BILLING,
          description:
            'send.ahasend.com refused billing 2 times in the last hour because its connection had reached a limit. The app must send these messages again on a new connection.',
        },
      ],
      [85],
    ],
  },
]
