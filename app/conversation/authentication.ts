/** AUTH with a user name and a password (RFC 4954). */
import type { Answer, Conversation } from './conversation.ts'
import { base64, type Login } from './login.ts'

/**
 * AUTH PLAIN, or AUTH LOGIN if the server offers only that. `hello` is the reply to EHLO. Returns the last reply, which is 235
 * on success, or nothing if the server offers neither.
 */
export async function authenticate(
  conversation: Conversation,
  hello: Answer,
  login: Login,
): Promise<Answer | undefined> {
  const offered = hello.lines.flatMap(
    (line) => /^250[ -]AUTH[ =](.*)$/i.exec(line)?.[1]?.toUpperCase().split(' ') ?? [],
  )
  if (offered.includes('PLAIN')) return authPlain(conversation, login)
  return offered.includes('LOGIN') ? authLogin(conversation, login) : undefined
}

function authPlain(conversation: Conversation, { user, password }: Login): Promise<Answer> {
  return conversation.send(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}\r\n`, 'AUTH PLAIN ***')
}

async function authLogin(conversation: Conversation, { user, password }: Login): Promise<Answer> {
  const begun = await conversation.send('AUTH LOGIN\r\n')
  if (begun.code !== 334) return begun
  const named = await conversation.send(`${base64(user)}\r\n`, '***')
  return named.code === 334 ? conversation.send(`${base64(password)}\r\n`, '***') : named
}
