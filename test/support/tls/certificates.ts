/**
 * Throw-away certificates for tests: an authority made in milliseconds, and what it issues. Keys are P-256 unless asked
 * otherwise. Nothing here is meant to protect anything.
 *
 *     const authority = await makeAuthority()
 *     const { certPem, keyPem } = await authority.issue({ dnsNames: ['localhost'] })
 */
import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'

x509.cryptoProvider.set(webcrypto)

const ALGORITHMS = {
  ec: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa: { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
}

const DAY_MS = 24 * 60 * 60 * 1000

/** What a certificate is to say. Everything has a default that makes a good certificate for this machine's loopback. */
export interface CertificateRequest {
  /** The subject's CN. Default: the first DNS name, else `localhost`. */
  readonly commonName?: string
  /** DNS names in the subjectAltName; a wildcard is written `*.example.com`. Default: `localhost`. */
  readonly dnsNames?: readonly string[]
  /** IP addresses in the subjectAltName. Default: none when DNS names are given, else `127.0.0.1` and `::1`. */
  readonly ipAddresses?: readonly string[]
  /** Start of validity. Default: a day ago. */
  readonly notBefore?: Date
  /** End of validity. Default: in thirty days. */
  readonly notAfter?: Date
  readonly keyType?: 'ec' | 'rsa'
  /** True leaves the subjectAltName out, so that only the CN names the host (which RFC 6125 clients ignore). */
  readonly noSan?: boolean
}

/** A certificate and its private key (PKCS #8), both PEM. */
export interface Certificate {
  readonly certPem: string
  readonly keyPem: string
}

/** A certificate authority of its own. Its certificate is what a client has to trust. */
export interface Authority extends Certificate {
  /** Issues a server certificate signed by this authority. */
  issue(request?: CertificateRequest): Promise<Certificate>
}

/** A new authority with a key of its own, which nobody trusts yet. By default it lasts for thirty days. */
export async function makeAuthority(name = 'Throw-away Authority', notAfter?: Date): Promise<Authority> {
  const keys = await makeKeys('ec')
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: distinguishedName(name),
    ...validity(notAfter === undefined ? {} : { notAfter }),
    signingAlgorithm: ALGORITHMS.ec,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return authorityOf({ certPem: certificate.toString('pem'), keyPem: await keyPemOf(keys.privateKey) }, keys)
}

/** An authority that `makeAuthority` made before. Rejects when the texts are no certificate and no P-256 key. */
export async function restoreAuthority(saved: Certificate): Promise<Authority> {
  const { publicKey } = new x509.X509Certificate(saved.certPem)
  const key = x509.PemConverter.decodeFirst(saved.keyPem)
  return authorityOf(saved, {
    publicKey: await publicKey.export(ALGORITHMS.ec, ['verify']),
    privateKey: await webcrypto.subtle.importKey('pkcs8', key, ALGORITHMS.ec, true, ['sign']),
  })
}

function authorityOf({ certPem, keyPem }: Certificate, keys: webcrypto.CryptoKeyPair): Authority {
  const issuer = new x509.X509Certificate(certPem).subject
  return { certPem, keyPem, issue: (request = {}) => sign(request, { issuer, keys }) }
}

async function keyPemOf(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)), 'PRIVATE KEY')
}

/** A server certificate that vouches for itself: no authority stands behind it. */
export function makeSelfSigned(request: CertificateRequest = {}): Promise<Certificate> {
  return sign(request)
}

/** Files in a directory of their own, and a way to be rid of them. */
export interface TemporaryFiles<Name extends string> {
  readonly directory: string
  /** The path of each file. */
  readonly paths: Readonly<Record<Name, string>>
  /** Deletes the directory with everything in it. */
  remove(): void
}

/** Writes texts to files of a new temporary directory, readable by this user only: `{ 'ca.pem': authority.certPem }`. */
export function writeTemporaryFiles<Name extends string>(texts: Readonly<Record<Name, string>>): TemporaryFiles<Name> {
  const directory = mkdtempSync(join(tmpdir(), 'rehearsal-'))
  const names = Object.keys(texts) as Name[]
  for (const name of names) writeFileSync(join(directory, name), texts[name], { mode: 0o600 })
  return {
    directory,
    paths: Object.fromEntries(names.map((name) => [name, join(directory, name)])) as Record<Name, string>,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

interface Issuer {
  readonly issuer: string
  readonly keys: webcrypto.CryptoKeyPair
}

async function sign(request: CertificateRequest, by?: Issuer): Promise<Certificate> {
  const keys = await makeKeys(request.keyType ?? 'ec')
  const subject = distinguishedName(request.commonName ?? request.dnsNames?.[0] ?? 'localhost')
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: by?.issuer ?? subject,
    ...validity(request),
    signingAlgorithm: by ? ALGORITHMS.ec : ALGORITHMS[request.keyType ?? 'ec'],
    publicKey: keys.publicKey,
    signingKey: (by?.keys ?? keys).privateKey,
    extensions: [...serverExtensions(request), await authorityKey((by?.keys ?? keys).publicKey)],
  })
  return { certPem: certificate.toString('pem'), keyPem: await keyPemOf(keys.privateKey) }
}

/** RFC 5280 4.2.1.1; Python 3.13 refuses certificates without it. */
function authorityKey(key: webcrypto.CryptoKey): Promise<x509.Extension> {
  return x509.AuthorityKeyIdentifierExtension.create(key)
}

function serverExtensions(request: CertificateRequest): x509.Extension[] {
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
  ]
  if (!request.noSan) extensions.push(new x509.SubjectAlternativeNameExtension(alternativeNames(request)))
  return extensions
}

function alternativeNames({ dnsNames, ipAddresses }: CertificateRequest): x509.JsonGeneralName[] {
  const loopback = dnsNames ? [] : ['127.0.0.1', '::1']
  return [
    ...(dnsNames ?? (ipAddresses ? [] : ['localhost'])).map((value) => ({ type: 'dns' as const, value })),
    ...(ipAddresses ?? loopback).map((value) => ({ type: 'ip' as const, value })),
  ]
}

function validity({ notBefore, notAfter }: CertificateRequest): { notBefore: Date; notAfter: Date } {
  const now = Date.now()
  return { notBefore: notBefore ?? new Date(now - DAY_MS), notAfter: notAfter ?? new Date(now + 30 * DAY_MS) }
}

function distinguishedName(commonName: string): x509.JsonName {
  return [{ CN: [commonName] }]
}

function serialNumber(): string {
  // RFC 5280 section 4.1.2.2: a positive integer, so the first bit is clear; unique enough by chance.
  return `01${randomBytes(8).toString('hex')}`
}

function makeKeys(type: 'ec' | 'rsa'): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHMS[type], true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>
}
