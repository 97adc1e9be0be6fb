# Sends a prepared message with Net::SMTP: STARTTLS, a verified certificate and host name, auth().
use strict;
use warnings;
use IO::Socket::SSL qw(SSL_VERIFY_PEER);
use Net::SMTP;

open my $file, '<:raw', $ENV{SMTP_MESSAGE_FILE} or die "cannot read the message: $!";
my $message = do { local $/; <$file> };

my $smtp = Net::SMTP->new($ENV{SMTP_HOST}, Port => $ENV{SMTP_PORT}, Hello => 'localhost', Timeout => 20)
  or die "cannot connect: $@";

sub failed {
    my ($command) = @_;
    die "$command: " . $smtp->code . ' ' . $smtp->message . " $@";
}

$smtp->starttls(SSL_ca_file => $ENV{SMTP_CA_FILE}, SSL_verify_mode => SSL_VERIFY_PEER) or failed('STARTTLS');
$smtp->auth($ENV{SMTP_USER}, $ENV{SMTP_PASSWORD}) or failed('AUTH');
$smtp->mail($ENV{SMTP_FROM}, Bits => '8') or failed('MAIL');
$smtp->to($ENV{SMTP_TO}) or failed('RCPT');
$smtp->data($message) or failed('DATA');
$smtp->quit or failed('QUIT');
