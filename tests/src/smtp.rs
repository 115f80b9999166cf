//! A real mail server on this machine: `aiosmtpd` of the Python package index.

use std::{
    fs::File,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::{Mutex, Notify},
};

const SERVER: &str = include_str!("../../crates/mail/tests/smtp/server.py");
const PACKAGES: [&str; 2] = ["aiosmtpd==1.4.6", "trustme==1.2.1"];

/// A running mail server. It ends with its value, and with the process.
pub struct SmtpServer {
    mode: &'static str,
    port: u16,
    folder: TempDir,
    letters: Arc<Mutex<Vec<ReceivedLetter>>>,
    arrived: Arc<Notify>,
    /// Its standard input is open as long as it shall live.
    _process: Child,
}

/// A letter that the server has taken.
#[derive(Debug, Clone)]
pub struct ReceivedLetter {
    /// The sender's address, of the envelope.
    pub from: String,
    /// The addressee's, of the envelope.
    pub to: String,
    /// The subject, decoded.
    pub subject: String,
    /// The text, decoded.
    pub text: String,
    /// The HTML part.
    pub html: Option<String>,
    /// All of it as it came.
    pub raw: String,
    /// Alike for letters that came by the same connection.
    pub connection: u64,
}

impl SmtpServer {
    /// A server without encryption that takes letters from anybody.
    pub async fn start() -> Self {
        Self::of_mode("plain").await
    }

    /// A server that wants STARTTLS and a log-in.
    pub async fn starttls() -> Self {
        Self::of_mode("starttls").await
    }

    /// A server that is encrypted from the start and wants a log-in.
    pub async fn smtps() -> Self {
        Self::of_mode("smtps").await
    }

    async fn of_mode(mode: &'static str) -> Self {
        let python = tokio::task::spawn_blocking(installed).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("server.py");
        std::fs::write(&script, SERVER).unwrap();
        let mut process = Command::new(python)
            .arg(script)
            .arg(mode)
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python runs the mail server of the tests");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap().expect("the mail server says where it is").parse().unwrap();
        let (letters, arrived) = (Arc::<Mutex<Vec<ReceivedLetter>>>::default(), Arc::new(Notify::new()));
        let (keep, tell) = (Arc::clone(&letters), Arc::clone(&arrived));
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                keep.lock().await.push(ReceivedLetter::read(&line));
                tell.notify_waiters();
            }
        });
        Self { mode, port, folder, letters, arrived, _process: process }
    }

    /// The URL for the setting `smtp_url`, with the right password where one is needed.
    pub fn url(&self) -> String {
        self.url_with_password("open%20sesame")
    }

    /// The same with another password, percent-encoded.
    pub fn url_with_password(&self, password: &str) -> String {
        let port = self.port;
        match self.mode {
            "plain" => format!("smtp://127.0.0.1:{port}"),
            "starttls" => format!("smtp://shop:{password}@localhost:{port}?tls=required"),
            _ => format!("smtps://shop:{password}@localhost:{port}"),
        }
    }

    /// The certificate of the authority that vouches for it.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// From now on letters are answered this, such as `450 later`, or after half a minute where it is `slow`; with
    /// `None` they are taken again.
    ///
    /// # Panics
    /// Where the temporary folder cannot be written to.
    pub fn refuse_with(&self, answer: Option<&str>) {
        let file = self.folder.path().join("refuse");
        match answer {
            Some(answer) => std::fs::write(file, answer).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
    }

    /// All letters so far.
    pub async fn letters(&self) -> Vec<ReceivedLetter> {
        self.letters.lock().await.clone()
    }

    /// Takes the first letter to an address out of those that have come, or waits for one.
    ///
    /// # Panics
    /// Where none comes in time.
    pub async fn next_letter_to(&self, address: &str, within: Duration) -> ReceivedLetter {
        let end = Instant::now() + within;
        loop {
            let arrived = self.arrived.notified();
            let mut letters = self.letters.lock().await;
            if let Some(index) = letters.iter().position(|letter| letter.to.eq_ignore_ascii_case(address)) {
                return letters.remove(index);
            }
            drop(letters);
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no letter to {address} came within {within:?}");
            let _ = tokio::time::timeout(left.min(Duration::from_millis(200)), arrived).await;
        }
    }
}

impl ReceivedLetter {
    fn read(line: &str) -> Self {
        let letter: Json = serde_json::from_str(line).unwrap();
        let text = |name: &str| letter[name].as_str().map(str::to_owned);
        let [from, to, subject, body, raw] =
            ["from", "to", "subject", "text", "raw"].map(|name| text(name).unwrap_or_default());
        let connection = letter["connection"].as_u64().unwrap();
        Self { from, to, subject, text: body, html: text("html"), raw, connection }
    }
}

/// A Python with the server's packages, installed once into the folder for what is built.
fn installed() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.ancestors().nth(2).unwrap().join("smtp-server");
    std::fs::create_dir_all(&folder).unwrap();
    let python = folder.join("bin/python");
    let guard = File::create(folder.join("lock")).unwrap();
    // Several tests may begin at once, in several processes.
    guard.lock().unwrap();
    let done = folder.join(PACKAGES.join("+"));
    if !done.exists() {
        let run = |program: &std::path::Path, arguments: &[&str]| {
            let ended = std::process::Command::new(program).args(arguments).output();
            let ended = ended.unwrap_or_else(|error| {
                panic!("{} is needed for the mail server of the tests: {error}", program.display())
            });
            let told = String::from_utf8_lossy(&ended.stderr);
            assert!(
                ended.status.success(),
                "{} {}: {told}; install python3 and python3-venv",
                program.display(),
                arguments.join(" ")
            );
        };
        run("python3".as_ref(), &["-m", "venv", folder.to_str().unwrap()]);
        let mut install = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        install.extend(PACKAGES);
        run(&python, &install);
        File::create(done).unwrap();
    }
    python
}
