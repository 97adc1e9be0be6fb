/** The files of the package that Debian prescribes, as texts. */
import packageJson from '../../package.json' with { type: 'json' }

const HOMEPAGE = 'https://github.com/AhaSend/ahasend-smtp-proxy'
/** An address that receives no mail: people report to the repository. */
const MAINTAINER = 'The ahasend-smtp-proxy authors <ahasend-smtp-proxy@users.noreply.github.com>'

/** A version of npm as a version of Debian, in which a pre-release sorts before its release: 1.0.0-rc.1 is 1.0.0~rc.1. */
export function debianVersion(version: string): string {
  return version.replace('-', '~')
}

/** The file `control`. `kibibytes` is the size of the installed files. */
export function control(version: string, architecture: string, kibibytes: number): string {
  return `Package: ${packageJson.name}
Version: ${version}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${kibibytes}
Depends: init-system-helpers (>= 1.54~), libc6 (>= 2.28), libgcc-s1 (>= 4), libstdc++6 (>= 7), systemd (>= 250)
Section: mail
Priority: optional
Homepage: ${HOMEPAGE}
Description: SMTP proxy in front of AhaSend, with metrics, traces and alerts
 Apps connect to the proxy instead of send.ahasend.com, and nothing else
 changes. Every reply code, connection lifetime and message size becomes a
 metric, and every refused message becomes a trace.
 .
 The package contains Node, a systemd unit, dashboards for Grafana, and alerting
 rules for Prometheus. The proxy listens only on this machine until you
 configure it in /etc/ahasend-smtp-proxy/proxy.env.
`
}

/** The changelog of the package. Its only entry refers to that of the project. */
export function changelog(version: string, seconds: number): string {
  const date = new Date(seconds * 1000).toUTCString().replace('GMT', '+0000')
  return `${packageJson.name} (${version}) stable; urgency=medium

  * ${HOMEPAGE}/blob/main/CHANGELOG.md
    lists the changes.

 -- ${MAINTAINER}  ${date}
`
}

/** The file `copyright`, from the license of the project. The other licenses are in files next to it. */
export function copyright(own: string): string {
  return `This package contains ${packageJson.name} (${HOMEPAGE}):

${own}
It also contains Node.js (https://nodejs.org), as /usr/lib/${packageJson.name}/node: its license and those of its parts are
in node.txt. The programs /usr/lib/${packageJson.name}/*.cjs contain packages of npm: their licenses are in packages.txt.
`
}
