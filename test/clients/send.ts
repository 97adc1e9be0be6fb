// Sends a prepared message with nodemailer: STARTTLS required, certificate and host name verified, AUTH PLAIN.
import { readFileSync } from 'node:fs'
import { createTransport } from 'nodemailer'

const { SMTP_HOST, SMTP_PORT, SMTP_CA_FILE, SMTP_USER, SMTP_PASSWORD, SMTP_FROM, SMTP_TO, SMTP_MESSAGE_FILE } =
  process.env as Readonly<Record<string, string>>

const transport = createTransport({
  host: SMTP_HOST!,
  port: Number(SMTP_PORT),
  requireTLS: true,
  tls: { ca: readFileSync(SMTP_CA_FILE!) },
  auth: { user: SMTP_USER!, pass: SMTP_PASSWORD! },
  authMethod: 'PLAIN',
})
await transport.sendMail({
  envelope: { from: SMTP_FROM!, to: SMTP_TO! },
  raw: readFileSync(SMTP_MESSAGE_FILE!),
})
transport.close()
