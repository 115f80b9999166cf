//! The mail server that letters are handed to.

use std::{
    fmt, fs,
    net::IpAddr,
    path::Path,
    time::{Duration, Instant},
};

use kernel::{Secret, Span};
use lettre::{
    address::Envelope,
    transport::smtp::{
        self,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::SendError;

/// Connections that are kept for the next letter, and for how long.
const MAX_PARKED: usize = 4;
const MAX_IDLE: Duration = Duration::from_secs(30);

/// What is wrong with the configuration: the key and the problem, without the URL's password.
type Mistake = (&'static str, String);

/// A mail server.
pub(crate) struct Relay {
    host: String,
    port: u16,
    tls: Tls,
    hello: ClientId,
    credentials: Option<Credentials>,
    timeout: Span,
    parked: Mutex<Vec<Parked>>,
}

struct Parked {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl Relay {
    pub(crate) fn new(url: &Secret, ca_file: Option<&Path>, timeout: Span) -> Result<Self, Mistake> {
        let url = Url::parse(url.expose()).map_err(|error| mistake(format!("This is not a URL: {error}")))?;
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(mistake("The host is missing".to_owned()));
        }
        let parameters = || {
            let mut parameters = TlsParameters::builder(host.clone());
            if let Some(file) = ca_file {
                parameters = parameters.add_root_certificate(certificates(file)?);
            }
            parameters.build().map_err(|error| ("ca_file", error.to_string()))
        };
        let (tls, port) = match (url.scheme(), tls_option(&url)?.as_deref()) {
            ("smtps", None) => (Tls::Wrapper(parameters()?), smtp::SUBMISSIONS_PORT),
            ("smtp", None) if is_loopback(&host) => (Tls::None, smtp::SMTP_PORT),
            ("smtp", Some("none")) => (Tls::None, smtp::SMTP_PORT),
            ("smtp", None | Some("required")) => (Tls::Required(parameters()?), smtp::SUBMISSION_PORT),
            ("smtp", Some("opportunistic")) => (Tls::Opportunistic(parameters()?), smtp::SUBMISSION_PORT),
            ("smtp", Some(_)) => return Err(mistake("tls is one of required, opportunistic and none".to_owned())),
            ("smtps", Some(_)) => return Err(mistake("smtps:// is TLS from the start and takes no tls=".to_owned())),
            _ => return Err(mistake("The URL begins with smtp:// or smtps://".to_owned())),
        };
        Ok(Self {
            port: url.port().unwrap_or(port),
            tls,
            hello: hello(&url)?,
            credentials: credentials(&url)?,
            timeout,
            parked: Mutex::default(),
            host,
        })
    }

    /// Hands a letter over, within the time that a delivery may take.
    pub(crate) async fn deliver(&self, envelope: &Envelope, letter: &[u8]) -> Result<(), SendError> {
        match tokio::time::timeout(self.timeout.0, self.attempt(envelope, letter)).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(SendError::TimedOut(self.timeout)),
        }
    }

    /// A connection is parked after a success only: one that was given up in the middle would take late answers for
    /// those to the next letter. That is why lettre's own pool, which keeps them, is not used.
    async fn attempt(&self, envelope: &Envelope, letter: &[u8]) -> Result<(), smtp::Error> {
        let mut connection = match self.unpark().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        connection.send(envelope, letter).await?;
        let mut parked = self.parked.lock();
        if parked.len() < MAX_PARKED {
            parked.push(Parked { connection, since: Instant::now() });
        }
        Ok(())
    }

    /// A parked connection that the server still answers on.
    async fn unpark(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let Parked { mut connection, since } = self.parked.lock().pop()?;
            if since.elapsed() < MAX_IDLE && connection.test_connected().await {
                return Some(connection);
            }
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        let wrapped = if let Tls::Wrapper(parameters) = &self.tls { Some(parameters.clone()) } else { None };
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout.0), &self.hello, wrapped, None).await?;
        match &self.tls {
            Tls::Opportunistic(_) if !connection.can_starttls() => {}
            Tls::Opportunistic(parameters) | Tls::Required(parameters) => {
                connection.starttls(parameters.clone(), &self.hello).await?;
            }
            Tls::None | Tls::Wrapper(_) => {}
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, tls, .. } = self;
        f.debug_struct("Relay").field("host", host).field("port", port).field("tls", tls).finish_non_exhaustive()
    }
}

fn mistake(problem: String) -> Mistake {
    ("smtp_url", problem)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn certificates(file: &Path) -> Result<Certificate, Mistake> {
    let problem = |why: String| ("ca_file", format!("{}: {why}", file.display()));
    let pem = fs::read(file).map_err(|error| problem(error.to_string()))?;
    if !pem.windows(11).any(|window| window == b"-----BEGIN ") {
        return Err(problem("there is no certificate (PEM) in it".to_owned()));
    }
    Certificate::from_pem(&pem).map_err(|error| problem(error.to_string()))
}

fn tls_option(url: &Url) -> Result<Option<String>, Mistake> {
    let mut tls = None;
    for (key, value) in url.query_pairs() {
        if key != "tls" || tls.is_some() {
            return Err(mistake(format!("There is nothing to set but one tls=, not {key}=")));
        }
        tls = Some(value.into_owned());
    }
    Ok(tls)
}

/// How this machine calls itself: the path of the URL, else its host name.
fn hello(url: &Url) -> Result<ClientId, Mistake> {
    let name = url.path().trim_matches('/');
    if name.is_empty() {
        return Ok(ClientId::default());
    }
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-') {
        return Ok(ClientId::Domain(name.to_owned()));
    }
    Err(mistake("The path of the URL is not a host name to greet with".to_owned()))
}

fn credentials(url: &Url) -> Result<Option<Credentials>, Mistake> {
    let decoded = |text| {
        let text = percent_decode_str(text).decode_utf8();
        text.map(String::from).map_err(|_| mistake("User and password are percent-encoded UTF-8".to_owned()))
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => Err(mistake("A user goes with a password, as user:password@host".to_owned())),
        (user, Some(password)) => Ok(Some(Credentials::new(decoded(user)?, decoded(password)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Relay, Span};
    use kernel::Secret;
    use lettre::transport::smtp::client::Tls;
    use std::path::Path;

    fn relay(url: &str) -> Result<Relay, (&'static str, String)> {
        Relay::new(&Secret::new(url), None, Span::seconds(1))
    }

    #[test]
    fn the_url_says_how_to_connect() {
        let kind = |url| {
            let relay = relay(url).unwrap();
            let tls = match relay.tls {
                Tls::None => "none",
                Tls::Opportunistic(_) => "opportunistic",
                Tls::Required(_) => "required",
                Tls::Wrapper(_) => "wrapper",
            };
            (relay.host, relay.port, tls)
        };
        let is = |host: &str, port, tls| (host.to_owned(), port, tls);
        assert_eq!(kind("smtp://mx.example"), is("mx.example", 587, "required"));
        assert_eq!(kind("smtp://mx.example:2525?tls=none"), is("mx.example", 2525, "none"));
        assert_eq!(kind("smtp://mx.example?tls=opportunistic"), is("mx.example", 587, "opportunistic"));
        assert_eq!(kind("smtps://mx.example"), is("mx.example", 465, "wrapper"));
        assert_eq!(kind("smtp://localhost"), is("localhost", 25, "none"));
        assert_eq!(kind("smtp://127.0.0.2"), is("127.0.0.2", 25, "none"));
        assert_eq!(kind("smtp://[::1]:26"), is("::1", 26, "none"));
        assert_eq!(kind("smtp://localhost?tls=required"), is("localhost", 587, "required"));
    }

    #[test]
    fn mistakes_name_their_key_and_show_no_password() {
        for bad in [
            "mx.example",
            "http://mx.example",
            "smtp://",
            "smtp://u@mx.example",
            "smtp://:hush@mx.example",
            "smtp://u:hush@mx.example?tls=maybe",
            "smtps://u:hush@mx.example?tls=none",
            "smtp://u:hush@mx.example?tsl=none",
            "smtp://u:hush@mx.example/a%0d%0ab",
            "smtp://u:hush%ff@mx.example",
            "smtp://u:hush@mx.example:99999",
        ] {
            let (key, problem) = relay(bad).err().unwrap_or_else(|| panic!("{bad}"));
            assert_eq!(key, "smtp_url");
            assert!(!problem.contains("hush"), "{problem}");
        }
        assert!(!format!("{:?}", relay("smtp://u:hush@mx.example").unwrap()).contains("hush"));
        for (file, text) in [("missing.pem", None), ("empty.pem", Some(""))] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(file);
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            let broken = |path: &Path| Relay::new(&Secret::new("smtps://mx.example"), Some(path), Span::seconds(1));
            let (key, problem) = broken(&path).unwrap_err();
            assert_eq!(key, "ca_file");
            assert!(problem.contains(file), "{problem}");
        }
    }
}
