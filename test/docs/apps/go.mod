module ahasend-smtp-proxy/test/docs/apps

go 1.25

require github.com/wneessen/go-mail v0.7.2

require golang.org/x/text v0.29.0 // indirect
