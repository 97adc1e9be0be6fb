/** Checks the certificate of the listeners. */
import type { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { type ListenerTls, loadCertificate } from '../../../proxy/net/listener-certificate.ts'
import type { Config } from '../../../proxy/settings/config.ts'
import { readCertificates } from '../../../settings/pem.ts'
import { HELP } from './help.ts'
import { failed, type Outcome, ok, type Step } from './step.ts'

const DAY_MS = 86_400_000

/** The days until a time in seconds since the Unix epoch. */
export function daysLeft(notAfter: number): number {
  return Math.floor((notAfter * 1000 - Date.now()) / DAY_MS)
}

/** No step without a certificate. */
export function certificateSteps({ tls }: Config): readonly Step[] {
  return tls ? [{ group: 'Listeners', title: 'listener certificate', run: () => checkFiles(tls) }] : []
}

function checkFiles(tls: ListenerTls): Outcome {
  const see = HELP.certificates
  const loaded = loadCertificate(tls)
  if ('error' in loaded) return failed(loaded.error, { next: REPLACE, see })
  loaded.close()
  const [own, ...others] = readCertificates(readFileSync(tls.certFile, 'utf8'))
  if (!own) return failed(`${tls.certFile} contains no PEM certificate`, { next: REPLACE, see })
  const details = [`host names: ${own.subjectAltName ?? 'none'}`, `chain: ${chainOf(own, others)}`]
  const left = `${daysLeft(loaded.notAfter)} days left`
  if (own.validToDate.getTime() <= Date.now()) {
    const days = Math.max(0, -1 - daysLeft(loaded.notAfter))
    const ago = days === 0 ? 'less than a day ago' : `${days} ${days === 1 ? 'day' : 'days'} ago`
    const text = `it expired on ${own.validToDate.toISOString().slice(0, 10)}, ${ago}`
    return failed(text, { details, next: `Renew it. ${REPLACE}`, see })
  }
  if (own.validFromDate.getTime() > Date.now()) {
    const next = 'Check the clock of this machine (date -u), or wait.'
    return failed(`it is not valid before ${own.validFromDate.toISOString()}`, { details, next, see })
  }
  return ok(`ok, ${left}`, details)
}

const REPLACE =
  'Replace the files of PROXY_TLS_CERT_FILE and PROXY_TLS_KEY_FILE. A running proxy loads new files automatically.'

function chainOf(own: X509Certificate, others: readonly X509Certificate[]): string {
  const all = [own, ...others]
  const broken = others.find((issuer, index) => !all[index]!.checkIssued(issuer))
  if (broken) return 'warning: a certificate in the file was not issued by the next one: check the order'
  const last = all.at(-1) ?? own
  if (last.checkIssued(last)) return `complete, ${all.length} certificates in the file`
  const issuer = last.issuer.replaceAll('\n', ', ')
  if (isKnownRoot(last)) return `complete up to ${issuer}`
  return `warning: ends before ${issuer}, an authority that Node does not trust. Either the file lacks a certificate, or apps must trust this authority`
}

function isKnownRoot(last: X509Certificate): boolean {
  return rootCertificates.some((pem) => readCertificates(pem).some((root) => last.checkIssued(root)))
}
