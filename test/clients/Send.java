import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Map;
import java.util.Properties;
import javax.mail.Session;
import javax.mail.Transport;
import javax.mail.internet.InternetAddress;
import javax.mail.internet.MimeMessage;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

/** Sends a prepared message with JavaMail: STARTTLS required, certificate and host name verified, AUTH PLAIN. */
public class Send {
    private static final Map<String, String> ENV = System.getenv();

    /** Sockets that trust only the authority in a PEM file. */
    private static SSLSocketFactory trusting(Path caFile) throws Exception {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        try (InputStream pem = Files.newInputStream(caFile)) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context.getSocketFactory();
    }

    private static Properties properties() throws Exception {
        Properties properties = new Properties();
        properties.put("mail.smtp.host", ENV.get("SMTP_HOST"));
        properties.put("mail.smtp.port", ENV.get("SMTP_PORT"));
        properties.put("mail.smtp.localhost", "localhost");
        properties.put("mail.smtp.auth", "true");
        properties.put("mail.smtp.auth.mechanisms", "PLAIN");
        properties.put("mail.smtp.starttls.enable", "true");
        properties.put("mail.smtp.starttls.required", "true");
        properties.put("mail.smtp.ssl.checkserveridentity", "true");
        properties.put("mail.smtp.ssl.socketFactory", trusting(Path.of(ENV.get("SMTP_CA_FILE"))));
        properties.put("mail.smtp.connectiontimeout", "20000");
        properties.put("mail.smtp.timeout", "20000");
        properties.put("mail.smtp.from", ENV.get("SMTP_FROM"));
        return properties;
    }

    public static void main(String[] arguments) throws Exception {
        Session session = Session.getInstance(properties());
        try (InputStream file = Files.newInputStream(Path.of(ENV.get("SMTP_MESSAGE_FILE")));
                Transport transport = session.getTransport("smtp")) {
            transport.connect(ENV.get("SMTP_USER"), ENV.get("SMTP_PASSWORD"));
            // not Transport.send(), which writes its own Message-ID
            InternetAddress[] recipients = {new InternetAddress(ENV.get("SMTP_TO"))};
            transport.sendMessage(new MimeMessage(session, file), recipients);
        }
    }
}
