/** Reads the user name and the password for the `check` command. */
import { type Environment, isSet } from '../../../settings/environment.ts'
import type { ReadText } from '../../../settings/readers.ts'
import { type Login, loginIn } from '../../conversation/login.ts'

/** The variables of the environment. Only `check` reads them. */
export const LOGIN_VARIABLES = ['PROXY_CHECK_USER', 'PROXY_CHECK_PASSWORD'] as const

/** The login, nothing if none was given, or what is wrong. The file comes before the environment. */
export function readLogin(
  file: string | undefined,
  env: Environment,
  readText: ReadText,
): { readonly login?: Login } | { readonly mistake: string } {
  return file === undefined ? fromEnvironment(env) : fromFile(file, readText)
}

function fromEnvironment(env: Environment): ReturnType<typeof readLogin> {
  const [user, password] = LOGIN_VARIABLES
  if (!isSet(user, env) && !isSet(password, env)) return {}
  if (isSet(user, env) && isSet(password, env)) return { login: { user: env[user]!, password: env[password]! } }
  const [present, absent] = isSet(user, env) ? [user, password] : [password, user]
  return { mistake: `check: ${absent} is not set, but ${present} is: expected both or neither.` }
}

function fromFile(file: string, readText: ReadText): ReturnType<typeof readLogin> {
  try {
    const login = loginIn(readText(file))
    if (login) return { login }
    return { mistake: 'check: --login-file: expected the user name on the first line and the password on the second.' }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return { mistake: `check: --login-file: expected a file that this user can read (${code}).` }
  }
}
