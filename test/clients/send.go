// Sends a prepared message with net/smtp. SendMail trusts only the system's authorities, which Go reads from the file in
// SSL_CERT_FILE. So the caller sets that variable.
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
