/**
 * Real SMTP clients: how each is found, built and run. All of them send one prepared message with STARTTLS, a verified
 * certificate and AUTH PLAIN.
 *
 * A client reads its instructions from SMTP_* variables. Ten programs in seven languages read the same eight names, and
 * every user of the machine could read a password on a command line.
 *
 * The packages are those of Debian 12. `node test/clients/packages.ts` prints them for apt-get.
 */
import { join } from 'node:path'
import type { Command } from './command.ts'

/** The message to send, and the server. */
export interface Delivery {
  /** The name that the server's certificate must have. */
  readonly host: string
  readonly port: number
  /** The PEM file of the only trusted authority. */
  readonly caFile: string
  readonly user: string
  readonly password: string
  readonly from: string
  readonly to: string
  /** A complete RFC 5322 message with CRLF line ends, without dot-stuffing. */
  readonly messageFile: string
}

export interface SmtpClient {
  readonly name: string
  /** The Debian packages that provide it, including recommended ones that it needs; none for an npm dependency. */
  readonly packages: readonly string[]
  /** A shell command that prints a version, and fails when the tool or a library is missing. */
  readonly detect: string
  /** The compiler command that writes the program to the working directory. */
  readonly build?: (directory: string) => Command
  /** The command that sends the message. `directory` is a temporary directory, the same as for `build`. */
  readonly send: (delivery: Delivery, directory: string) => Command
  /** The number of empty lines that the client itself adds after the message. */
  readonly addedLines: number
}

const HERE = import.meta.dirname
/** Go reads every file of SSL_CERT_DIR in addition to SSL_CERT_FILE, so it must be a directory without files. */
const NO_DIRECTORY = '/nonexistent'

const PHP_LIBRARIES = 'include_path=/usr/share/php'
const JAVA_LIBRARIES = ['/usr/share/java/javax.mail.jar', '/usr/share/java/javax.activation.jar']

/** No variables of the caller, and no configuration files of the user: HOME is the temporary directory. */
function environment(delivery: Delivery, directory: string): Record<string, string | undefined> {
  return {
    PATH: process.env.PATH,
    HOME: directory,
    LANG: 'C.UTF-8',
    SMTP_HOST: delivery.host,
    SMTP_PORT: String(delivery.port),
    SMTP_CA_FILE: delivery.caFile,
    SMTP_USER: delivery.user,
    SMTP_PASSWORD: delivery.password,
    SMTP_FROM: delivery.from,
    SMTP_TO: delivery.to,
    SMTP_MESSAGE_FILE: delivery.messageFile,
  }
}

/** Runs a program that reads the SMTP_* variables. */
function program(file: string, ...args: readonly string[]): SmtpClient['send'] {
  return (delivery, directory) => ({ file, args, env: environment(delivery, directory) })
}

/** Runs a tool that reads everything from its command line. */
function tool(file: string, args: (delivery: Delivery) => readonly string[]): SmtpClient['send'] {
  return (delivery, directory) => ({ file, args: args(delivery), env: environment(delivery, directory) })
}

const nodemailer: SmtpClient = {
  name: 'nodemailer',
  packages: [],
  detect: `cd '${HERE}' && '${process.execPath}' -p "require('nodemailer/package.json').version"`,
  send: program(process.execPath, join(HERE, 'send.ts')),
  addedLines: 0,
}

const swaks: SmtpClient = {
  name: 'swaks',
  packages: ['swaks', 'libnet-ssleay-perl'],
  detect: 'swaks --support 2>&1 | grep -q "TLS supported" && swaks --version',
  send: tool('swaks', (delivery) => [
    ...['--config', '--silent', '3', '--timeout', '20', '--helo', 'localhost'],
    ...['--server', delivery.host, '--port', String(delivery.port)],
    ...['--tls', '--tls-verify', '--tls-ca-path', delivery.caFile],
    ...['--auth', 'PLAIN', '--auth-user', delivery.user, '--auth-password', delivery.password],
    ...['--from', delivery.from, '--to', delivery.to, '--data', `@${delivery.messageFile}`],
  ]),
  addedLines: 1,
}

const curl: SmtpClient = {
  name: 'curl',
  packages: ['curl'],
  detect: 'curl --version | grep -q "^Protocols:.* smtp " && curl --version',
  send: tool('curl', (delivery) => [
    ...['--disable', '--silent', '--show-error', '--max-time', '20'],
    ...['--url', `smtp://${delivery.host}:${delivery.port}/localhost`, '--ssl-reqd', '--cacert', delivery.caFile],
    ...['--login-options', 'AUTH=PLAIN', '--user', `${delivery.user}:${delivery.password}`],
    ...['--mail-from', delivery.from, '--mail-rcpt', delivery.to, '--upload-file', delivery.messageFile],
  ]),
  addedLines: 0,
}

const msmtp: SmtpClient = {
  name: 'msmtp',
  packages: ['msmtp'],
  detect: 'msmtp --version',
  send: (delivery, directory) => ({
    file: 'msmtp',
    // with --host it reads no configuration file
    args: [
      ...[`--host=${delivery.host}`, `--port=${delivery.port}`, '--domain=localhost', '--timeout=20'],
      ...['--tls=on', '--tls-starttls=on', `--tls-trust-file=${delivery.caFile}`],
      ...['--auth=plain', `--user=${delivery.user}`, '--passwordeval=printenv SMTP_PASSWORD'],
      ...[`--from=${delivery.from}`, '--', delivery.to],
    ],
    env: environment(delivery, directory),
    stdinFile: delivery.messageFile,
  }),
  addedLines: 0,
}

const smtplib: SmtpClient = {
  name: 'Python smtplib',
  packages: ['python3'],
  detect: 'python3 -c "import platform, smtplib, ssl; print(platform.python_version())"',
  send: program('python3', join(HERE, 'send.py')),
  addedLines: 0,
}

const phpMailer: SmtpClient = {
  name: 'PHPMailer',
  packages: ['php-cli', 'libphp-phpmailer'],
  detect: `php -d ${PHP_LIBRARIES} -r 'extension_loaded("openssl") || exit(1);
    require "libphp-phpmailer/src/PHPMailer.php"; echo PHPMailer\\PHPMailer\\PHPMailer::VERSION;'`,
  send: program('php', '-d', PHP_LIBRARIES, join(HERE, 'send.php')),
  addedLines: 0,
}

const perl: SmtpClient = {
  name: 'Perl Net::SMTP',
  packages: ['perl', 'libio-socket-ssl-perl', 'libauthen-sasl-perl'],
  detect: "perl -MIO::Socket::SSL -MAuthen::SASL -MNet::SMTP -e 'print Net::SMTP->VERSION'",
  send: program('perl', join(HERE, 'send.pl')),
  addedLines: 0,
}

const ruby: SmtpClient = {
  name: 'Ruby net/smtp',
  packages: ['ruby'],
  detect: "ruby -ropenssl -rnet/smtp -e 'print Net::SMTP::VERSION'",
  send: program('ruby', join(HERE, 'send.rb')),
  addedLines: 0,
}

const go: SmtpClient = {
  name: 'Go net/smtp',
  packages: ['golang-go'],
  detect: 'go version',
  build: (directory) => ({
    file: 'go',
    args: ['build', '-o', join(directory, 'send-go'), join(HERE, 'send.go')],
    // The user's own environment, for the compiler's cache. Nothing is downloaded: only the standard library is used.
    env: { ...process.env, CGO_ENABLED: '0', GOPROXY: 'off', GOTOOLCHAIN: 'local' },
  }),
  send: (delivery, directory) => ({
    file: join(directory, 'send-go'),
    args: [],
    env: { ...environment(delivery, directory), SSL_CERT_FILE: delivery.caFile, SSL_CERT_DIR: NO_DIRECTORY },
  }),
  addedLines: 0,
}

const javaMail: SmtpClient = {
  name: 'JavaMail',
  packages: ['default-jdk-headless', 'libmail-java'],
  detect: `javac -version >&2 && ls ${JAVA_LIBRARIES.join(' ')} >&2 && ls /usr/share/java/javax.mail-[0-9]*.jar`,
  build: (directory) => ({
    file: 'javac',
    args: ['-cp', JAVA_LIBRARIES.join(':'), '-d', directory, join(HERE, 'Send.java')],
    env: process.env,
  }),
  send: (delivery, directory) =>
    program('java', '-cp', [directory, ...JAVA_LIBRARIES].join(':'), 'Send')(delivery, directory),
  addedLines: 0,
}

/** In the order of the table that `run.ts` prints. */
export const CLIENTS: readonly SmtpClient[] = [
  nodemailer,
  swaks,
  curl,
  msmtp,
  smtplib,
  phpMailer,
  perl,
  ruby,
  go,
  javaMail,
]
