<?php
// Sends a prepared message with PHPMailer. PHPMailer composes its own MIME parts with random boundaries, so its
// composer is replaced. Everything from postSend() on, the complete SMTP part, is the library's code.

require_once 'libphp-phpmailer/src/Exception.php';
require_once 'libphp-phpmailer/src/SMTP.php';
require_once 'libphp-phpmailer/src/PHPMailer.php';

final class PreparedMail extends PHPMailer\PHPMailer\PHPMailer
{
    public string $prepared = '';

    public function preSend()
    {
        // the library adds the empty line after the header, and a line end after the body
        [$this->MIMEHeader, $body] = explode("\r\n\r\n", $this->prepared, 2);
        $this->MIMEBody = preg_replace('/\r\n\z/', '', $body);
        static::setLE(self::CRLF);
        return true;
    }
}

$mail = new PreparedMail(true); // true: failures are exceptions
$mail->prepared = file_get_contents(getenv('SMTP_MESSAGE_FILE'));
$mail->isSMTP();
$mail->Host = getenv('SMTP_HOST');
$mail->Port = (int) getenv('SMTP_PORT');
$mail->Hostname = 'localhost';
$mail->Timeout = 20;
$mail->SMTPSecure = PHPMailer\PHPMailer\PHPMailer::ENCRYPTION_STARTTLS;
$mail->SMTPOptions = ['ssl' => ['cafile' => getenv('SMTP_CA_FILE')]]; // verify_peer and verify_peer_name are on
$mail->SMTPAuth = true;
$mail->AuthType = 'PLAIN';
$mail->Username = getenv('SMTP_USER');
$mail->Password = getenv('SMTP_PASSWORD');
$mail->setFrom(getenv('SMTP_FROM'));
$mail->addAddress(getenv('SMTP_TO'));
$mail->send();
