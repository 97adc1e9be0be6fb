/** A user name and a password. They are never printed or logged. */

export interface Login {
  readonly user: string
  readonly password: string
}

/** The login in the text of a file: the user name on the first line and the password on the second. */
export function loginIn(text: string): Login | undefined {
  const [user, password] = text.split(/\r?\n/)
  return user && password ? { user, password } : undefined
}

/** Replaces the password, and every form in which AUTH sends it. */
export function redactor(login: Login | undefined): (text: string) => string {
  if (!login) return (text) => text
  const { user, password } = login
  const secrets = [base64(`\0${user}\0${password}`), base64(password), password]
  return (text) => secrets.reduce((shown, secret) => shown.replaceAll(secret, '***'), text)
}

/** Text as AUTH sends it. */
export function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
