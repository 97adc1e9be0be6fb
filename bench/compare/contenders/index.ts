/** All contenders, in the order of the report. */
import type { Contender } from './contender.ts'
import { direct } from './direct.ts'
import { haproxy } from './haproxy.ts'
import { haraka } from './haraka.ts'
import { nginxMail } from './nginx-mail.ts'
import { nginxStream } from './nginx-stream.ts'
import { ourVariants } from './ours.ts'
import { pipe } from './pipe.ts'
import { postfix } from './postfix.ts'
import { prototype } from './prototype.ts'
import { stunnel } from './stunnel.ts'

export const CONTENDERS: readonly Contender[] = [
  direct,
  pipe,
  prototype,
  haproxy,
  nginxStream,
  nginxMail,
  stunnel,
  postfix,
  haraka,
  ...ourVariants,
]
