/** Series that a proxy exports, and labels of alerts. */
import type { Firing } from './scenario.ts'

export const SERVER = { server_address: 'send.ahasend.com' }
export const BILLING = { ...SERVER, smtp_client_name: 'billing' }
const PEER = 'server_address="send.ahasend.com", smtp_client_name="billing"'

export interface From {
  /** Who sent the reply. Default: AhaSend. */
  readonly origin?: 'proxy'
  /** Default: the only instance. */
  readonly instance?: string | undefined
}

/** Replies of AhaSend or of the proxy to `billing`. */
export function reply(command: string, code: number, cause: string, { origin, instance }: From = {}): string {
  const what = `smtp_command="${command}", smtp_reply_code="${code}", smtp_reply_cause="${cause}"`
  return `smtp_proxy_replies_total{${what}, smtp_reply_origin="${origin ?? 'upstream'}", ${PEER}${at(instance)}}`
}

/** Messages of `billing` that ended with this outcome. */
export function messages(outcome: string, error?: string): string {
  return `smtp_proxy_transactions_total{smtp_transaction_outcome="${outcome}"${error ? `, error_type="${error}"` : ''}, ${PEER}}`
}

/** Attempts to connect to AhaSend: those with an error failed. */
export function dials(error?: string): string {
  return `smtp_proxy_upstream_dials_total{${error ? `error_type="${error}", ` : ''}tls_resumed="false", server_address="send.ahasend.com"}`
}

function at(instance: string | undefined): string {
  return instance === undefined ? '' : `, instance="${instance}"`
}

/** A bucket of a histogram. */
export function bucket(name: string, labels: string, bound: string): string {
  return `${name}_bucket{${labels}, le="${bound}"}`
}

/** Sessions of `billing` that ended for this reason. */
export function ended(reason: string): string {
  return `smtp_proxy_session_duration_seconds_count{smtp_session_close_reason="${reason}", ${PEER}}`
}

/** A series with one more label. */
export function withLabel(series: string, label: string): string {
  return series.includes('{') ? series.replace('}', `, ${label}}`) : `${series}{${label}}`
}

export const ENDED_SESSIONS = ended('quit')
export const FINAL_REPLIES = 'smtp_command="END-OF-MESSAGE", server_address="send.ahasend.com"'

/** The alert about connections that do not begin with a valid PROXY header. */
export function missingHeader(severity: 'critical' | 'warning', count: number, instance: string): Firing {
  return {
    severity,
    labels: { instance },
    description: `${instance} closed ${count} connections from networks in PROXY_TRUST_PROXY_PROTOCOL because they did not begin with a valid PROXY header. Apps on these connections get no reply.`,
  }
}
