/** One run of the probe: what an app does before it sends a message, but no message. */
import type { Socket } from 'node:net'
import type { ProbeResult } from '../../otel/metrics/probe.ts'
import type { ProbeError, ProbeStep } from '../../otel/names/names.ts'
import { connectAny, resolve } from '../../proxy/net/happy-eyeballs.ts'
import { raced } from '../../proxy/upstream/attempt.ts'
import { authenticate } from '../conversation/authentication.ts'
import { type Answer, Conversation, ehlo, NoAnswer, type NoAnswerReason } from '../conversation/conversation.ts'
import { beginTls, handshake } from './secure.ts'
import type { ProbeSettings } from './settings.ts'
import { StepFailed } from './step-failed.ts'

/** How a run ended. */
export interface ProbeRun extends ProbeResult {
  readonly ms: number
  readonly failure?: ProbeFailure
}

/** The step that failed, and why. Holds the text of a reply, which must not be logged. */
export interface ProbeFailure {
  readonly step: ProbeStep
  readonly error: number | ProbeError
  readonly answer?: Answer
  readonly detail?: string
}

/** Runs all steps, at most for the timeout. Resolves with undefined if `stop` aborts first. Rejects only because of a bug. */
export async function runProbe(settings: ProbeSettings, stop: AbortSignal): Promise<ProbeRun | undefined> {
  const began = performance.now()
  const run = new Run(settings, AbortSignal.any([stop, AbortSignal.timeout(settings.timeoutMs)]))
  const failure = await run.outcome()
  if (stop.aborted) return undefined
  return { ms: performance.now() - began, succeeded: run.succeeded, ...(failure && { failure }) }
}

/** How long the last bytes of a run may take to be sent. Arbitrary. */
const CLOSE_MS = 1000

const NO_ANSWER: Readonly<Record<NoAnswerReason, ProbeError>> = {
  closed: 'closed',
  timeout: 'timeout',
  too_long: 'reply_too_long',
}

class Run {
  readonly succeeded: { step: ProbeStep; ms: number }[] = []
  readonly #settings: ProbeSettings
  readonly #signal: AbortSignal
  #step: ProbeStep = 'connect'
  /** The connection, and TLS on it. */
  #tcp: Socket | undefined
  #socket: Socket | undefined

  constructor(settings: ProbeSettings, signal: AbortSignal) {
    this.#settings = settings
    this.#signal = signal
  }

  /** The failure, or undefined if every step succeeded. */
  async outcome(): Promise<ProbeFailure | undefined> {
    try {
      await this.#all()
      return undefined
    } catch (error) {
      const failure = this.#failureOf(error)
      // a server that answers may be left politely
      if (failure.answer) this.#socket?.end('QUIT\r\n')
      return failure
    } finally {
      this.#close()
    }
  }

  async #all(): Promise<void> {
    const { target } = this.#settings
    await this.#timed('connect', () => this.#connect())
    const isSecure = target.scheme === 'smtps'
    if (isSecure) await this.#timed('tls', () => this.#secure())
    const first = this.#converse()
    await this.#expect('greeting', 220, first.greeting())
    const hello = await this.#expect('ehlo', 250, ehlo(first))
    const conversation = isSecure ? first : await this.#startTls(first, hello)
    const own = conversation === first ? hello : await this.#expect('ehlo', 250, ehlo(conversation))
    await this.#logIn(conversation, own)
    await this.#beginMessage(conversation)
    await this.#expect('quit', 221, conversation.send('QUIT\r\n'))
  }

  async #connect(): Promise<void> {
    const { target, timeoutMs } = this.#settings
    const addresses = await resolve(target.host).catch((cause) => {
      throw new StepFailed('resolve_failed', { cause })
    })
    this.#tcp = await connectAny(addresses, target.port, timeoutMs, this.#signal)
    this.#socket = this.#tcp
  }

  async #secure(): Promise<void> {
    const socket = beginTls(this.#tcp!, this.#settings)
    this.#socket = socket
    await handshake(socket)
  }

  /** TLS first: Node may crash when TLS still has something to write and the socket below is gone. */
  #close(): void {
    this.#socket?.destroySoon()
    const timer = setTimeout(() => this.#tcp?.destroy(), CLOSE_MS)
    this.#tcp?.once('close', () => clearTimeout(timer))
  }

  #converse(): Conversation {
    const { timeoutMs } = this.#settings
    return new Conversation({ socket: this.#socket! }, { timeoutMs, redact: (text) => text })
  }

  /** STARTTLS, if the proxy offers it. Returns the dialogue to continue with. */
  async #startTls(plain: Conversation, hello: Answer): Promise<Conversation> {
    if (!hello.lines.some((line) => /^250[ -]STARTTLS *$/i.test(line))) {
      this.#step = 'starttls'
      if (this.#settings.tls === 'required') throw new StepFailed('starttls_not_offered')
      return plain
    }
    await this.#timed('starttls', async () => {
      const answer = await plain.send('STARTTLS\r\n')
      if (answer.code !== 220) throw new StepFailed(answer)
      // such bytes were injected to pass for replies inside TLS (RFC 3207 5)
      if (!plain.detach()) throw new StepFailed('starttls_injection')
      await this.#secure()
    })
    return this.#converse()
  }

  async #logIn(conversation: Conversation, hello: Answer): Promise<void> {
    const { login } = this.#settings
    if (!login) return
    await this.#timed('auth', async () => {
      const answer = await authenticate(conversation, hello, login)
      if (answer?.code !== 235) throw new StepFailed(answer ?? 'auth_not_offered')
    })
  }

  /** RSET abandons the message before its content: nothing is sent. */
  async #beginMessage(conversation: Conversation): Promise<void> {
    const { envelope } = this.#settings
    if (!envelope) return
    await this.#expect('mail', 250, conversation.send(`MAIL FROM:<${envelope.from}>\r\n`))
    await this.#expect('rcpt', 250, conversation.send(`RCPT TO:<${envelope.to}>\r\n`))
    await this.#expect('rset', 250, conversation.send('RSET\r\n'))
  }

  /** The answer, if it has the code. */
  #expect(step: ProbeStep, code: number, answer: Promise<Answer>): Promise<Answer> {
    return this.#timed(step, async () => {
      const received = await answer
      if (received.code !== code) throw new StepFailed(received)
      return received
    })
  }

  async #timed<T>(step: ProbeStep, work: () => Promise<T>): Promise<T> {
    this.#step = step
    const began = performance.now()
    const result = await raced(work(), this.#signal)
    this.succeeded.push({ step, ms: performance.now() - began })
    return result
  }

  #failureOf(error: unknown): ProbeFailure {
    const step = this.#step
    if (error instanceof StepFailed) {
      const { error: reason, answer, detail } = error
      return { step, error: reason, ...(answer && { answer }), ...(detail !== undefined && { detail }) }
    }
    if (this.#signal.aborted) return { step, error: step === 'connect' ? 'connect_timeout' : 'timeout' }
    if (error instanceof NoAnswer) return { step, error: NO_ANSWER[error.reason] }
    if (step !== 'connect') throw error
    const { detail } = new StepFailed('connect_refused', { cause: error })
    return { step, error: connectError(detail), ...(detail !== undefined && { detail }) }
  }
}

function connectError(code: string | undefined): ProbeError {
  if (code === 'ECONNRESET') return 'connect_reset'
  return code === undefined || code === 'ETIMEDOUT' ? 'connect_timeout' : 'connect_refused'
}
