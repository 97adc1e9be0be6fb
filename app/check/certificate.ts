/** Checks the certificate of the listeners. */
import type { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { type ListenerTls, loadCertificate } from '../../proxy/net/listener-certificate.ts'
import type { Config } from '../../proxy/settings/config.ts'
import { readCertificates } from '../../settings/pem.ts'
import { runbook } from './replies.ts'
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
  const see = runbook('SmtpProxyCertificateExpiring')
  const loaded = loadCertificate(tls)
  if ('error' in loaded) return failed(loaded.error, { see })
  loaded.close()
  const [own, ...others] = readCertificates(readFileSync(tls.certFile, 'utf8'))
  if (!own) return failed(`${tls.certFile} holds no PEM certificate`, { see })
  const details = [`host names: ${own.subjectAltName ?? 'none'}`, `chain: ${chainOf(own, others)}`]
  const left = `${daysLeft(loaded.notAfter)} days left`
  if (own.validToDate.getTime() <= Date.now()) {
    return failed(`it has expired, ${left}`, { details, next: 'Renew it and replace both files.', see })
  }
  if (own.validFromDate.getTime() > Date.now()) {
    const next = 'Check the clock of this machine, or wait.'
    return failed(`it is not valid before ${own.validFromDate.toISOString()}, ${left}`, { details, next, see })
  }
  return ok(`ok, ${left}`, details)
}

function chainOf(own: X509Certificate, others: readonly X509Certificate[]): string {
  const all = [own, ...others]
  const broken = others.find((issuer, index) => !all[index]!.checkIssued(issuer))
  if (broken) return 'warning: a certificate in the file was not issued by the next one: check the order'
  const last = all.at(-1) ?? own
  if (last.checkIssued(last)) return `complete, ${all.length} certificates in the file`
  const issuer = last.issuer.replaceAll('\n', ', ')
  if (isKnownRoot(last)) return `complete up to ${issuer}`
  return `warning: ends before ${issuer}, which is no root that Node knows. Apps must trust it, or the file lacks a part`
}

function isKnownRoot(last: X509Certificate): boolean {
  return rootCertificates.some((pem) => readCertificates(pem).some((root) => last.checkIssued(root)))
}
