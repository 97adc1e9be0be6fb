/** The failure of one step of the probe. */
import type { ProbeError } from '../../otel/names/names.ts'
import type { Answer } from '../conversation/conversation.ts'

/** Ends a run. `runProbe` turns it into a value. */
export class StepFailed extends Error {
  /** The code of the reply that refused the step, or why there was none. */
  readonly error: number | ProbeError
  readonly answer: Answer | undefined
  /** The name that Node or OpenSSL gives to the failure, such as CERT_HAS_EXPIRED. */
  readonly detail: string | undefined

  constructor(error: ProbeError | Answer, { cause }: { readonly cause?: unknown } = {}) {
    super(typeof error === 'string' ? error : `${error.code}`)
    this.error = typeof error === 'string' ? error : error.code
    this.answer = typeof error === 'string' ? undefined : error
    const code = (cause as { readonly code?: unknown } | undefined)?.code
    this.detail = typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : undefined
  }
}
