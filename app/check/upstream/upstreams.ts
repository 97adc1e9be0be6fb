/** Checks the upstreams: connection, greeting, STARTTLS, certificate and capabilities, as the proxy dials them. */
import type { Dial } from '../../../proxy/events/dial.ts'
import { authority } from '../../../proxy/settings/addresses.ts'
import type { Config, UpstreamAddress } from '../../../proxy/settings/config.ts'
import type { Dialer } from '../../../proxy/upstream/dialer.ts'
import { Conversation, ehlo, NoAnswer } from '../../conversation/conversation.ts'
import { daysLeft } from '../steps/certificate.ts'
import type { TimeEvidence } from '../steps/clock.ts'
import { type Outcome, ok, type Step } from '../steps/step.ts'
import { dialFailure, noAnswer, refusal } from './replies.ts'

/** What the dials of the upstreams (`host:port`) showed. */
export interface Dialled {
  /** Mail can use them. */
  readonly reached: Set<string>
  /** Their server answers, but mail cannot use them: the network path works. */
  readonly answered: Set<string>
}

export function nothingDialled(): Dialled {
  return { reached: new Set(), answered: new Set() }
}

/** Failures that an answer of the server causes. */
const ANSWERED = /^(greeting_refused|starttls_|tls_)/

/** One step for each upstream. They add to `evidence` what its certificate says about the clock, and to `dialled` the results. */
export function upstreamSteps(
  config: Config,
  dialer: Dialer,
  evidence: TimeEvidence,
  dialled: Dialled,
): readonly Step[] {
  return config.upstreams.map((server) => ({
    group: 'Upstreams',
    title: `upstream ${authority(server)}`,
    run: (signal) => checkUpstream(dialer, server, { timeoutMs: config.dialTimeoutMs, signal, evidence, dialled }),
  }))
}

interface Circumstances {
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly evidence: TimeEvidence
  readonly dialled: Dialled
}

async function checkUpstream(
  dialer: Dialer,
  server: UpstreamAddress,
  { timeoutMs, signal, evidence, dialled }: Circumstances,
): Promise<Outcome> {
  const { dial, connection } = await dialer.dial(server, timeoutMs, signal)
  remember(dial, evidence)
  if (!connection || connection.refused) {
    connection?.socket.destroy()
    if (ANSWERED.test(dial.error ?? '')) dialled.answered.add(authority(server))
    return dialFailure(dial)
  }
  dialled.reached.add(authority(server))
  const text = `ok in ${Math.round(dial.end - dial.at)} ms at ${dial.peerAddress}, ${security(dial)}`
  const conversation = new Conversation(connection, { timeoutMs, redact: (line) => line })
  try {
    const answer = await ehlo(conversation)
    return answer.code === 250 ? ok(text, answer.lines) : refusal('EHLO', answer.code, answer.text)
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    return { ...noAnswer(`${error.message} to EHLO`), details: [text] }
  } finally {
    conversation.close()
  }
}

function remember({ serverAddress, detail, certificateNotAfter }: Dial, { certificates, valid }: TimeEvidence): void {
  if (certificateNotAfter !== undefined) valid.add(serverAddress)
  if (detail === 'CERT_NOT_YET_VALID' || detail === 'CERT_HAS_EXPIRED') certificates.set(serverAddress, detail)
}

function security(dial: Dial): string {
  if (dial.tlsProtocol === undefined) return 'unencrypted (?tls=off)'
  return `${dial.tlsProtocol} ${dial.tlsCipher}, certificate ${daysLeft(dial.certificateNotAfter ?? 0)} days left`
}
