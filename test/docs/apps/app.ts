/** What an app is that sends mail with the code of a page. */
export interface App {
  /** The heading of its section in docs/app-snippets.md. */
  readonly name: string
  /** The Debian packages that it needs. */
  readonly packages: readonly string[]
  /** A shell command that prints the version of its library, and fails if it is missing. */
  readonly detect: string
  /** The command that installs the library. Default: apt-get with the packages. */
  readonly install?: string
  /** Its row of the table of runtimes in docs/tls.md. */
  readonly runtime: string
  /** The file that contains the code of the page, and its text around that code. */
  readonly file: string
  readonly source: (code: string) => string
  /** The shell command that sends the message, in the directory of the file. */
  readonly command: string
  /** Names of variables that it also takes from the environment of the test. */
  readonly inherits?: readonly string[]
}

/** The variables that every app reads. */
export interface Mail {
  readonly SMTP_USER: string
  readonly SMTP_PASSWORD: string
  readonly SMTP_FROM: string
  readonly SMTP_TO: string
}
