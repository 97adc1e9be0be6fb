/** The upstream of a stage: a sink, and a network path to it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeAuthority } from '../../../test/support/tls/certificates.ts'
import type { Security, Upstream } from '../contenders/contender.ts'
import { pathOf, type Started } from '../processes/process.ts'
import { startRelay } from './relay.ts'
import { startSmtpSink } from './smtp-sink.ts'
import { startTlsSink } from './tls-sink.ts'

/** The name in the certificate. */
const NAME = 'localhost'

export interface RunningUpstream extends Upstream {
  readonly sink: Started
  /** The authority of the certificate, as PEM. */
  readonly ca: string
  /** The sink and what is before it. */
  readonly programs: readonly Started[]
}

/** Starts the sink, and a relay before it if the path has a round-trip time. `folder` is empty. */
export async function startUpstream(
  security: Security,
  roundTripMs: number | undefined,
  folder: string,
): Promise<RunningUpstream> {
  const { ca, files } = await writeCertificates(folder)
  const { sink, port, implicitPort } = await startSink(security, files, folder)
  const common = { security, sink, ca, caFile: files.ca, name: NAME }
  if (roundTripMs === undefined) return { ...common, port, implicitPort, programs: [sink] }
  const relays = await Promise.all([startRelay(port, roundTripMs), startRelay(implicitPort, roundTripMs)])
  const programs = [sink, ...relays.map(({ program }) => program)]
  return { ...common, port: relays[0].ready.port, implicitPort: relays[1].ready.port, programs }
}

interface Files {
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

async function writeCertificates(folder: string): Promise<{ readonly ca: string; readonly files: Files }> {
  const authority = await makeAuthority()
  const { certPem, keyPem } = await authority.issue({ dnsNames: [NAME], ipAddresses: ['127.0.0.1', '::1'] })
  const write = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const files = {
    ca: write('ca.pem', authority.certPem),
    certificate: write('certificate.pem', certPem),
    key: write('key.pem', keyPem),
  }
  return { ca: authority.certPem, files }
}

/** smtp-sink in plain text if it is installed; otherwise a sink of our own. */
async function startSink(security: Security, files: Files, folder: string) {
  if (security === 'plain' && pathOf('smtp-sink') !== undefined) {
    const { program, port } = await startSmtpSink(mailConfigIn(folder))
    return { sink: program, port, implicitPort: port }
  }
  const { program, ready } = await startTlsSink(files.certificate, files.key)
  return { sink: program, port: ready.starttls, implicitPort: security === 'plain' ? ready.starttls : ready.implicit }
}

/** Makes a folder with the main.cf that smtp-sink and smtp-source read, and returns its path. */
export function mailConfigIn(folder: string): string {
  const path = join(folder, 'postfix')
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'main.cf'), 'compatibility_level = 3.6\ninet_protocols = ipv4\n')
  return path
}
