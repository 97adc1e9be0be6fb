# Sends a prepared message with net/smtp: STARTTLS required, certificate and host name verified, AUTH PLAIN.
require 'net/smtp'

message = File.binread(ENV.fetch('SMTP_MESSAGE_FILE'))
context = OpenSSL::SSL::SSLContext.new
context.set_params(ca_file: ENV.fetch('SMTP_CA_FILE'), verify_mode: OpenSSL::SSL::VERIFY_PEER, verify_hostname: true)

smtp = Net::SMTP.new(ENV.fetch('SMTP_HOST'), ENV.fetch('SMTP_PORT').to_i)
smtp.enable_starttls(context)
smtp.open_timeout = smtp.read_timeout = 20
smtp.start('localhost', ENV.fetch('SMTP_USER'), ENV.fetch('SMTP_PASSWORD'), :plain) do |session|
  session.send_message(message, ENV.fetch('SMTP_FROM'), ENV.fetch('SMTP_TO'))
end
