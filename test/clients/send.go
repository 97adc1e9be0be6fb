// Sends a prepared message with net/smtp. SendMail trusts the system's authorities and takes no others, but Go reads
// those from the file that SSL_CERT_FILE names, so the caller sets that variable.
package main

import (
	"log"
	"net"
	"net/smtp"
	"os"
)

func main() {
	message, err := os.ReadFile(os.Getenv("SMTP_MESSAGE_FILE"))
	if err != nil {
		log.Fatal(err)
	}
	host := os.Getenv("SMTP_HOST")
	address := net.JoinHostPort(host, os.Getenv("SMTP_PORT"))
	auth := smtp.PlainAuth("", os.Getenv("SMTP_USER"), os.Getenv("SMTP_PASSWORD"), host)
	err = smtp.SendMail(address, auth, os.Getenv("SMTP_FROM"), []string{os.Getenv("SMTP_TO")}, message)
	if err != nil {
		log.Fatal(err)
	}
}
