/** Apps in Go. They are compiled in the module of this directory, which lists go-mail. */
import type { App } from './app.ts'
import { LISTS } from './libraries.ts'

// Go finds its own cache and what was downloaded for go-mail below HOME, and downloads nothing now
const OFFLINE = 'GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0'
const BUILD = `${OFFLINE} go build -C '${LISTS}' -o "$PWD/app" "$PWD/main.go" && ./app`
const INHERITS = ['HOME', 'GOPATH', 'GOCACHE', 'GOMODCACHE']

const VARIABLES = `	user, password := os.Getenv("SMTP_USER"), os.Getenv("SMTP_PASSWORD")
	from, to := os.Getenv("SMTP_FROM"), os.Getenv("SMTP_TO")
`

function indented(code: string): string {
  return code.replace(/^/gm, '\t')
}

export const netSmtp: App = {
  name: 'Go: net/smtp',
  packages: ['golang-go'],
  detect: 'go version',
  runtime: 'Go',
  file: 'main.go',
  source: (code) => `package main

import (
	"log"
	"net/smtp"
	"os"
)

func main() {
${VARIABLES}	message := []byte("From: " + from + "\\r\\nTo: " + to + "\\r\\nSubject: Hello\\r\\n\\r\\nHello\\r\\n")
${indented(code)}
	if err != nil {
		log.Fatal(err)
	}
}
`,
  command: BUILD,
  inherits: INHERITS,
}

export const goMail: App = {
  name: 'Go: go-mail',
  packages: ['golang-go'],
  detect: `cd '${LISTS}' && ${OFFLINE} go list -m -f '{{.Dir}} {{.Version}}' github.com/wneessen/go-mail | sed -n 's/^.* v//p' | grep .`,
  install: 'npm run apps',
  runtime: 'Go',
  file: 'main.go',
  source: (code) => `package main

import (
	"log"
	"os"
	"time"

	"github.com/wneessen/go-mail"
)

func main() {
${VARIABLES}	message := mail.NewMsg()
	message.From(from)
	message.To(to)
	message.Subject("Hello")
	message.SetBodyString(mail.TypeTextPlain, "Hello")
${indented(code)}
	if err == nil {
		err = client.DialAndSend(message)
	}
	if err != nil {
		log.Fatal(err)
	}
}
`,
  command: BUILD,
  inherits: INHERITS,
}
