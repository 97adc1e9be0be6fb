/**
 * Throw-away certificates for tests and rehearsals, from an authority that is created in milliseconds. Keys are P-256
 * by default. Do not use them to protect anything.
 *
 *     const authority = await makeAuthority()
 *     const { certPem, keyPem } = await authority.issue({ dnsNames: ['localhost'] })
 */
import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

x509.cryptoProvider.set(webcrypto)

const ALGORITHMS = {
  ec: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa: { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
}

const DAY_MS = 24 * 60 * 60 * 1000

/** The contents of a certificate. The defaults make a valid certificate for the loopback interface. */
export interface CertificateRequest {
  /** The subject's CN. Default: the first DNS name, else `localhost`. */
  readonly commonName?: string
  /** DNS names in the subjectAltName; a wildcard is written `*.example.com`. Default: `localhost`. */
  readonly dnsNames?: readonly string[]
  /** IP addresses in the subjectAltName. Default: none when DNS names are given, else `127.0.0.1` and `::1`. */
  readonly ipAddresses?: readonly string[]
  /** Start of validity. Default: one day ago. */
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

/** A certificate authority. Clients must trust its certificate. */
export interface Authority extends Certificate {
  /** Issues a server certificate signed by this authority. */
  issue(request?: CertificateRequest): Promise<Certificate>
}

/** Creates an authority with a new key. By default it is valid for thirty days. */
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

/** Restores an authority that `makeAuthority` created. Rejects when the texts are no certificate and no P-256 key. */
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

/** Creates a self-signed server certificate. */
export function makeSelfSigned(request: CertificateRequest = {}): Promise<Certificate> {
  return sign(request)
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
  // RFC 5280 section 4.1.2.2: a positive integer, so the first bit is 0; eight random bytes make it unique
  return `01${randomBytes(8).toString('hex')}`
}

function makeKeys(type: 'ec' | 'rsa'): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHMS[type], true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>
}
