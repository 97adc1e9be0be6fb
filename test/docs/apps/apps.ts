/**
 * The apps whose code the test of docs/app-snippets.md runs. Each adds what the page leaves out, such as imports and the
 * message, and reads user name, password and addresses from SMTP_* variables.
 */
import { pathToFileURL } from 'node:url'
import type { App } from './app.ts'
import { goMail, netSmtp } from './go.ts'
import { JAVA, PYTHON } from './libraries.ts'
import { laravel, phpMailer, wordPress } from './php.ts'

const NODEMAILER = import.meta.resolve('nodemailer')
const HERE = pathToFileURL(import.meta.filename)

const nodemailer: App = {
  name: 'Nodemailer',
  packages: [],
  detect: `'${process.execPath}' -p "require('node:module').createRequire('${HERE}')('nodemailer/package.json').version"`,
  install: 'npm ci',
  runtime: 'Node.js',
  file: 'app.mjs',
  source: (code) => `import nodemailer from '${NODEMAILER}'
const { SMTP_USER: user, SMTP_PASSWORD: pass, SMTP_FROM: from, SMTP_TO: to } = process.env
${code}
await transport.sendMail({ from, to, subject: 'Hello', text: 'Hello' })
transport.close()
`,
  command: `'${process.execPath}' app.mjs`,
}

const smtplib: App = {
  name: 'Python: smtplib',
  packages: ['python3'],
  detect: 'python3 -c "import platform, smtplib, ssl; print(platform.python_version())"',
  runtime: 'Python',
  file: 'app.py',
  source: (code) => `import os, smtplib, ssl
from email.message import EmailMessage

user, password = os.environ["SMTP_USER"], os.environ["SMTP_PASSWORD"]
message = EmailMessage()
message["From"], message["To"], message["Subject"] = os.environ["SMTP_FROM"], os.environ["SMTP_TO"], "Hello"
message.set_content("Hello")
${code}
`,
  command: 'python3 app.py',
}

const django: App = {
  name: 'Django',
  packages: ['python3', 'python3-venv'],
  detect: `'${PYTHON}/bin/python' -m django --version`,
  install: 'npm run apps',
  runtime: 'Python',
  file: 'settings.py',
  source: (code) => `import os
EMAIL_HOST_USER = os.environ["SMTP_USER"]
EMAIL_HOST_PASSWORD = os.environ["SMTP_PASSWORD"]
${code}
`,
  command: `DJANGO_SETTINGS_MODULE=settings '${PYTHON}/bin/python' -c '
import os
from django.core.mail import send_mail
send_mail("Hello", "Hello", os.environ["SMTP_FROM"], [os.environ["SMTP_TO"]])
'`,
}

const rails: App = {
  name: 'Rails: Action Mailer',
  packages: ['ruby', 'ruby-actionmailer'],
  detect: 'ruby -e \'require "action_mailer"; puts ActionMailer.version\'',
  runtime: 'Ruby',
  file: 'app.rb',
  source: (code) => `require 'action_mailer'
user, password = ENV.fetch('SMTP_USER'), ENV.fetch('SMTP_PASSWORD')
config = Struct.new(:action_mailer).new(Struct.new(:smtp_settings).new)
${code}
ActionMailer::Base.smtp_settings = config.action_mailer.smtp_settings
class Hello < ActionMailer::Base
  def hello
    mail(from: ENV.fetch('SMTP_FROM'), to: ENV.fetch('SMTP_TO'), subject: 'Hello', body: 'Hello')
  end
end
Hello.hello.deliver_now
`,
  command: 'ruby app.rb',
}

const spring: App = {
  name: 'Spring Boot: JavaMailSender',
  packages: ['default-jdk-headless', 'maven'],
  detect: `java -version && ls '${JAVA}'/jars/spring-boot-[0-9]*.jar`,
  install: 'npm run apps',
  runtime: 'Java',
  file: 'application.properties',
  source: (code) => code,
  command: `SPRING_MAIL_USERNAME="$SMTP_USER" SPRING_MAIL_PASSWORD="$SMTP_PASSWORD" \
    java -XX:TieredStopAtLevel=1 -cp '${JAVA}:${JAVA}/jars/*' SpringApp`,
}

const swaks: App = {
  name: 'swaks',
  packages: ['swaks', 'libnet-ssleay-perl'],
  detect: 'swaks --support 2>&1 | grep -q "TLS supported" && swaks --version',
  runtime: 'swaks',
  file: 'app.sh',
  source: (code) => code,
  command: 'sh app.sh',
}

const curl: App = {
  name: 'curl',
  packages: ['curl'],
  detect: 'curl --version | grep -q "^Protocols:.* smtp " && curl --version',
  runtime: 'curl',
  file: 'app.sh',
  // the lines of the message end in LF
  source: (code) =>
    `printf 'From: %s\\nTo: %s\\nSubject: Hello\\n\\nHello\\n' "$SMTP_FROM" "$SMTP_TO" >message.eml\n${code}\n`,
  command: 'sh app.sh',
}

export const APPS: readonly App[] = [
  nodemailer,
  smtplib,
  django,
  phpMailer,
  laravel,
  wordPress,
  rails,
  netSmtp,
  goMail,
  spring,
  swaks,
  curl,
]
