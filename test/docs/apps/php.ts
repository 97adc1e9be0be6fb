/** Apps in PHP. */
import type { App } from './app.ts'

const PHP = 'php -d include_path=/usr/share/php'
const MAILER_VERSION = `${PHP} -r 'extension_loaded("openssl") || exit(1);
  require "libphp-phpmailer/src/PHPMailer.php"; echo PHPMailer\\PHPMailer\\PHPMailer::VERSION;'`

const HEAD = `<?php
require_once 'libphp-phpmailer/src/Exception.php';
require_once 'libphp-phpmailer/src/SMTP.php';
require_once 'libphp-phpmailer/src/PHPMailer.php';
use PHPMailer\\PHPMailer\\PHPMailer;
`
const MESSAGE = `$mail->setFrom(getenv('SMTP_FROM'));
$mail->addAddress(getenv('SMTP_TO'));
$mail->Subject = 'Hello';
$mail->Body = 'Hello';
`

export const phpMailer: App = {
  name: 'PHPMailer',
  packages: ['php-cli', 'libphp-phpmailer'],
  detect: MAILER_VERSION,
  runtime: 'PHP',
  file: 'app.php',
  source: (code) => `${HEAD}
$mail = new PHPMailer(true); // true: failures are exceptions
$mail->isSMTP();
$mail->SMTPAuth = true;
$mail->Username = getenv('SMTP_USER');
$mail->Password = getenv('SMTP_PASSWORD');
${MESSAGE}
${code}
$mail->send();
`,
  command: `${PHP} app.php`,
}

/** WordPress calls the hook after it has prepared the message for the function mail(). */
export const wordPress: App = {
  ...phpMailer,
  name: 'WordPress',
  source: (code) => `${HEAD}
define('SMTP_USER', getenv('SMTP_USER'));
define('SMTP_PASSWORD', getenv('SMTP_PASSWORD'));
function add_action(string $name, callable $callback): void
{
    $name === 'phpmailer_init' || throw new Exception($name);
    $GLOBALS['hook'] = $callback;
}
${code}
$mail = new PHPMailer(true);
$mail->isMail();
${MESSAGE}
$hook($mail);
$mail->send();
`,
}

/** Creates the transport from .env as config/mail.php and Illuminate\Mail\MailManager do. */
export const laravel: App = {
  name: 'Laravel',
  packages: ['php-cli', 'php-symfony-mailer'],
  detect: `dpkg-query -W -f '\${Version}' php-symfony-mailer`,
  runtime: 'PHP',
  file: 'app.php',
  source: (code) => `<?php
require_once 'Symfony/Component/Mailer/autoload.php';
use Symfony\\Component\\Mailer\\Mailer;
use Symfony\\Component\\Mailer\\Transport\\Dsn;
use Symfony\\Component\\Mailer\\Transport\\Smtp\\EsmtpTransportFactory;
use Symfony\\Component\\Mime\\Email;

$env = parse_ini_string(<<<'ENV'
${code}
ENV);
$env['MAIL_MAILER'] === 'smtp' || throw new Exception($env['MAIL_MAILER']);
$options = ['ping_threshold' => 30];
$transport = (new EsmtpTransportFactory())->create(new Dsn($env['MAIL_SCHEME'], $env['MAIL_HOST'],
    getenv('SMTP_USER'), getenv('SMTP_PASSWORD'), (int) $env['MAIL_PORT'], $options));
$transport->getStream()->setTimeout(300);
$message = (new Email())->from(getenv('SMTP_FROM'))->to(getenv('SMTP_TO'))->subject('Hello')->text('Hello');
(new Mailer($transport))->send($message);
`,
  command: `${PHP} app.php`,
}
