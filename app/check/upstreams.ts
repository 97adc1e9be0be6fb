/** Checks the upstreams: connection, greeting, STARTTLS, certificate and capabilities, as the proxy dials them. */
import type { Dial } from '../../proxy/events/dial.ts'
import { authority } from '../../proxy/settings/addresses.ts'
import type { Config, UpstreamAddress } from '../../proxy/settings/config.ts'
import type { Dialer } from '../../proxy/upstream/dialer.ts'
import { Conversation, ehlo, NoAnswer } from '../conversation/conversation.ts'
import { daysLeft } from './certificate.ts'
import type { TimeEvidence } from './clock.ts'
import { dialFailure, refusal, runbook } from './replies.ts'
import { failed, type Outcome, ok, type Step } from './step.ts'

/**
 * One step for each upstream. They add to `evidence` what its certificate says about the clock, and to `reached` the
 * upstreams (`host:port`) that accept connections.
 */
export function upstreamSteps(
  config: Config,
  dialer: Dialer,
  evidence: TimeEvidence,
  reached: Set<string>,
): readonly Step[] {
  return config.upstreams.map((server) => ({
    group: 'Upstreams',
    title: `upstream ${authority(server)}`,
    run: (signal) => checkUpstream(dialer, server, { timeoutMs: config.dialTimeoutMs, signal, evidence, reached }),
  }))
}

interface Circumstances {
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly evidence: TimeEvidence
  readonly reached: Set<string>
}

async function checkUpstream(
  dialer: Dialer,
  server: UpstreamAddress,
  { timeoutMs, signal, evidence, reached }: Circumstances,
): Promise<Outcome> {
  const { dial, connection } = await dialer.dial(server, timeoutMs, signal)
  remember(dial, evidence)
  if (!connection || connection.refused) {
    connection?.socket.destroy()
    return dialFailure(dial)
  }
  reached.add(authority(server))
  const text = `ok in ${Math.round(dial.end - dial.at)} ms at ${dial.peerAddress}, ${security(dial)}`
  const conversation = new Conversation(connection, { timeoutMs, redact: (line) => line })
  try {
    const answer = await ehlo(conversation)
    return answer.code === 250 ? ok(text, answer.lines) : refusal('EHLO', answer.code, answer.text)
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    return failed(`${error.message} to EHLO`, { details: [text], see: runbook('AhaSendUnreachable') })
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
