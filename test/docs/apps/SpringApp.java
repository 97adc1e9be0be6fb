import org.springframework.boot.Banner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.mail.MailSenderAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.mail.SimpleMailMessage;
import org.springframework.mail.javamail.JavaMailSender;

/** Sends a message with Spring Boot's JavaMailSender, which the properties of the page configure. */
public class SpringApp {
    public static void main(String[] arguments) {
        SpringApplicationBuilder app = new SpringApplicationBuilder(MailSenderAutoConfiguration.class);
        app.web(WebApplicationType.NONE).bannerMode(Banner.Mode.OFF).logStartupInfo(false);
        try (var context = app.run(arguments)) {
            SimpleMailMessage message = new SimpleMailMessage();
            message.setFrom(System.getenv("SMTP_FROM"));
            message.setTo(System.getenv("SMTP_TO"));
            message.setSubject("Hello");
            message.setText("Hello");
            context.getBean(JavaMailSender.class).send(message);
        }
    }
}
