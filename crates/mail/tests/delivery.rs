//! Letters handed to a real mail server, in every way that one may want it, and refused in every way.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

#[path = "../../../tests/src/smtp.rs"]
pub mod smtp;

use std::{os::unix::fs::PermissionsExt, time::Duration};

use kernel::{Secret, Span};
use mail::{Address, Delivered, Letter, MailConfig, Mailer, SendError, Template};
use smtp::SmtpServer;

const SOON: Duration = Duration::from_secs(5);

fn letter(to: &str) -> Letter {
    let to = Address::new(to).unwrap().named("Zoë Ü");
    Letter { to, subject: "Grüße".into(), text: "One.\n.\nTwö.\n".into(), html: Some("<p>Öne</p>".into()) }
}

fn config(server: &SmtpServer) -> MailConfig {
    MailConfig {
        smtp_url: Some(Secret::new(server.url())),
        ca_file: Some(server.ca_file()).filter(|file| file.exists()),
        from: "Shop <no-reply@shop.example>".into(),
        timeout: Span::seconds(5),
        ..MailConfig::default()
    }
}

fn mailer(config: &MailConfig) -> Mailer {
    Mailer::new(config, "/nowhere".as_ref()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_arrive_as_they_were_written() {
    for server in [SmtpServer::start().await, SmtpServer::starttls().await, SmtpServer::smtps().await] {
        let mailer = mailer(&config(&server));
        let mut connections = Vec::new();
        for to in ["zoe@example.com", "uma@example.com"] {
            assert_eq!(mailer.send(letter(to)).await.unwrap(), Delivered::Relayed);
            let came = server.next_letter_to(to, SOON).await;
            assert_eq!((came.from.as_str(), came.subject.as_str()), ("no-reply@shop.example", "Grüße"));
            assert_eq!(came.text.replace("\r\n", "\n").trim_end(), "One.\n.\nTwö.");
            assert_eq!(came.html.unwrap().trim_end(), "<p>Öne</p>");
            assert!(came.raw.contains("Auto-Submitted: auto-generated") && came.raw.contains("Message-ID: <"));
            connections.push(came.connection);
        }
        assert_eq!(connections[0], connections[1], "the second letter takes the connection of the first");
        assert!(server.letters().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_for_good_is_told_from_what_may_pass_later() {
    let server = SmtpServer::start().await;
    let mailer = mailer(&MailConfig { timeout: Span::seconds(1), ..config(&server) });
    for (answer, permanent) in [("450 later", false), ("550 never", true), ("421 closing", false), ("slow", false)] {
        server.refuse_with(Some(answer));
        let error = mailer.send(letter("uma@example.com")).await.unwrap_err();
        assert_eq!(error.is_permanent(), permanent, "{answer}: {error}");
        assert!(answer != "slow" || matches!(error, SendError::TimedOut(_)), "{error}");
        assert!(!error.to_string().contains("Tw"), "{error}");
    }
    server.refuse_with(None);
    assert_eq!(mailer.send(letter("uma@example.com")).await.unwrap(), Delivered::Relayed);
    let gone = config(&server);
    drop(server);
    let error = self::mailer(&gone).send(letter("uma@example.com")).await.unwrap_err();
    assert!(!error.is_permanent() && matches!(error, SendError::Unreachable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_stranger_certificate_are_refused() {
    for server in [SmtpServer::starttls().await, SmtpServer::smtps().await] {
        let wrong = Some(Secret::new(server.url_with_password("guess")));
        let error = mailer(&MailConfig { smtp_url: wrong, ..config(&server) }).send(letter("uma@example.com")).await;
        let error = error.unwrap_err();
        assert!(error.is_permanent() && !error.to_string().contains("guess"), "{error}");
        let error = mailer(&MailConfig { ca_file: None, ..config(&server) }).send(letter("uma@example.com")).await;
        assert!(matches!(error.unwrap_err(), SendError::Unreachable(_)));
    }
    // A server that offers no STARTTLS gets no letter in the clear.
    let plain = SmtpServer::start().await;
    let required = Some(Secret::new(format!("{}?tls=required", plain.url())));
    let error = mailer(&MailConfig { smtp_url: required, ..config(&plain) }).send(letter("uma@example.com")).await;
    assert!(error.is_err() && plain.letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_letters_lie_in_a_folder_of_one_s_own() {
    let folder = tempfile::tempdir().unwrap();
    let letters = folder.path().join("mail");
    let mailer = Mailer::new(&MailConfig::default(), &letters).unwrap();
    let words = serde_json::json!({
        "site": "shop", "domain": null, "username": "uma", "name": "Uma", "address": "uma@example.com", "token": "t0ken",
        "expires_in": "1 hour",
    });
    let letter =
        Template::ResetPassword.render(None, &words).await.unwrap().to(Address::new("uma@example.com").unwrap());
    let Delivered::Filed(file) = mailer.send(letter).await.unwrap() else { panic!("there is no server") };
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&letters), mode(&file)), (0o700, 0o600));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("To: uma@example.com") && text.contains("t0ken"), "{text}");
    assert_eq!(std::fs::read_dir(&letters).unwrap().count(), 1);
}

#[test]
fn mistakes_in_the_settings_name_their_key() {
    let broken = |config: MailConfig| Mailer::new(&config, "/nowhere".as_ref()).unwrap_err().field.unwrap();
    assert_eq!(broken(MailConfig { from: "nobody".into(), ..MailConfig::default() }), "mail.from");
    assert_eq!(broken(MailConfig { reply_to: Some("x@".into()), ..MailConfig::default() }), "mail.reply_to");
    assert_eq!(
        broken(MailConfig { smtp_url: Some(Secret::new("http://x")), ..MailConfig::default() }),
        "mail.smtp_url"
    );
    assert_eq!(broken(MailConfig { timeout: Span::seconds(0), ..MailConfig::default() }), "mail.timeout");
}
