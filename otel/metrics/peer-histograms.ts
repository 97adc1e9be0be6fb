import type { CloseReason, CommandName, TransactionOutcome } from '../../proxy/events/closed-sets.ts'
import type { Histogram, Recorder } from '../instruments/instruments.ts'
import { memo } from '../instruments/memo.ts'

/** The histograms that messages and sessions record to. */
export interface PeerInstruments {
  readonly commandDuration: Histogram<'commandDuration'>
  readonly transactionDuration: Histogram<'transactionDuration'>
  readonly messageSize: Histogram<'messageSize'>
  readonly messageRecipients: Histogram<'messageRecipients'>
  readonly sessionDuration: Histogram<'sessionDuration'>
  readonly sessionMessages: Histogram<'sessionMessages'>
}

/** Returns a function that finds the histograms of a pair of an upstream and a client name: the same object each time. */
export function histogramsByPeer(instruments: PeerInstruments): (server: string, client: string) => PeerHistograms {
  const ofServer = memo((server: string) => memo((client: string) => new PeerHistograms(server, client, instruments)))
  return (server, client) => ofServer(server)(client)
}

/** The histograms of one upstream and one client name. A series is found by one name instead of all its attributes. */
export class PeerHistograms {
  readonly commandDuration: (command: CommandName) => Recorder
  readonly transactionDuration: (outcome: TransactionOutcome) => Recorder
  readonly messageSize: (outcome: TransactionOutcome) => Recorder
  readonly messageRecipients: (outcome: TransactionOutcome) => Recorder
  readonly sessionDuration: (reason: CloseReason) => Recorder
  readonly #instruments: PeerInstruments
  readonly #server: string
  #sessionMessages: Recorder | undefined

  constructor(server: string, client: string, instruments: PeerInstruments) {
    const upstream = { 'server.address': server }
    const app = { 'smtp.client.name': client }
    const outcome = (name: TransactionOutcome) => ({ 'smtp.transaction.outcome': name })
    this.commandDuration = memo((name) => instruments.commandDuration.at({ 'smtp.command': name, ...upstream }))
    this.transactionDuration = memo((name) => instruments.transactionDuration.at({ ...outcome(name), ...upstream }))
    this.messageSize = memo((name) => instruments.messageSize.at({ ...outcome(name), ...app }))
    this.messageRecipients = memo((name) => instruments.messageRecipients.at(outcome(name)))
    this.sessionDuration = memo((name) =>
      instruments.sessionDuration.at({ 'smtp.session.close_reason': name, ...upstream, ...app }),
    )
    this.#instruments = instruments
    this.#server = server
  }

  get sessionMessages(): Recorder {
    this.#sessionMessages ??= this.#instruments.sessionMessages.at({ 'server.address': this.#server })
    return this.#sessionMessages
  }
}
