//! A real OpenID provider on this machine: the certified `oidc-provider` of npm, run by Node.js.
//!
//! It logs in whoever a test names, without asking. Who that is, is found in `crates/provider/tests/op/server.mjs`.

use std::{collections::HashMap, fs::File, path::PathBuf, process::Stdio};

use reqwest::{Url, header};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

const PACKAGE: &str = include_str!("../../crates/provider/tests/op/package.json");
const LOCK: &str = include_str!("../../crates/provider/tests/op/package-lock.json");
const SERVER: &str = include_str!("../../crates/provider/tests/op/server.mjs");

/// A verifier and its challenge: RFC 7636, appendix B.
const PKCE: (&str, &str) =
    ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");

/// A running provider with keys of its own. It ends with its value, and with the process.
pub struct OpenIdServer {
    issuer: String,
    http: reqwest::Client,
    /// Its standard input is open as long as it shall live.
    _process: Child,
}

/// Where the provider sent the browser at the end.
#[derive(Debug, Clone)]
pub struct Callback {
    /// The whole address.
    pub url: Url,
    /// The parameter `code`; empty where the provider refused.
    pub code: String,
    /// The parameter `state`.
    pub state: String,
    /// The parameter `iss`.
    pub iss: Option<String>,
    /// The parameter `error`.
    pub error: Option<String>,
}

impl OpenIdServer {
    /// A provider that signs with RS256.
    pub async fn start() -> Self {
        Self::signing("RS256").await
    }

    /// A provider that signs with this algorithm.
    ///
    /// # Panics
    /// Where Node.js, npm or the network to install the provider are missing.
    pub async fn signing(algorithm: &str) -> Self {
        let folder = tokio::task::spawn_blocking(installed).await.unwrap();
        let mut process = Command::new("node")
            .args(["server.mjs", algorithm])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Node.js runs the OpenID provider of the tests; install nodejs and npm");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = lines.next_line().await.unwrap().expect("the OpenID provider says where it is");
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { issuer, http, _process: process }
    }

    /// The issuer, at a port of this machine.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A client that knows its secret.
    pub const fn client_id(&self) -> &'static str {
        "insula"
    }

    /// The client's secret.
    pub const fn client_secret(&self) -> &'static str {
        "a secret of the test client"
    }

    /// A client that has no secret.
    pub const fn public_client_id(&self) -> &'static str {
        "insula-public"
    }

    /// Does what a browser does: follows an authorization URL through the log-in to the address of return, whose path
    /// must end with `/callback`.
    ///
    /// `login` is anybody's name: `unverified-…` has an unverified address, `addressless-…` has none, and `refuse`
    /// refuses.
    ///
    /// # Panics
    /// Where the provider finds something wrong with the URL.
    pub async fn follow(&self, authorize_url: &str, login: &str) -> Callback {
        let mut url = Url::parse(authorize_url).unwrap();
        url.query_pairs_mut().append_pair("login_hint", login);
        let mut cookies = HashMap::new();
        while url.as_str().starts_with(&self.issuer) {
            let jar: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let answer = self.http.get(url.clone()).header(header::COOKIE, jar.join("; ")).send().await.unwrap();
            for cookie in answer.headers().get_all(header::SET_COOKIE) {
                let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(next) = answer.headers().get(header::LOCATION).cloned() else {
                panic!("the OpenID provider stops at {url}: {}", answer.text().await.unwrap());
            };
            url = url.join(next.to_str().unwrap()).unwrap();
        }
        let parameter = |name| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        Callback {
            code: parameter("code").unwrap_or_default(),
            state: parameter("state").unwrap_or_default(),
            iss: parameter("iss"),
            error: parameter("error"),
            url,
        }
    }

    /// The id token that an app of one's own gets when somebody logs in with it.
    ///
    /// # Panics
    /// Where the provider refuses.
    pub async fn id_token_for(&self, login: &str) -> String {
        let redirect = "https://app.example.test/callback";
        let authorize = Url::parse_with_params(
            &format!("{}/auth", self.issuer),
            [
                ("client_id", self.client_id()),
                ("response_type", "code"),
                ("scope", "openid email profile"),
                ("redirect_uri", redirect),
                ("code_challenge", PKCE.1),
                ("code_challenge_method", "S256"),
            ],
        );
        let returned = self.follow(authorize.unwrap().as_str(), login).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &returned.code),
            ("redirect_uri", redirect),
            ("code_verifier", PKCE.0),
        ];
        let body = Url::parse_with_params("http://form/", form).unwrap().query().unwrap().to_owned();
        let secret = self.client_secret().replace(' ', "+");
        let request = self.http.post(format!("{}/token", self.issuer)).basic_auth(self.client_id(), Some(secret));
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        let answer: Json = request.send().await.unwrap().json().await.unwrap();
        answer["id_token"].as_str().unwrap_or_else(|| panic!("no id token: {answer}")).to_owned()
    }

    /// An id token of this provider with other claims than it would give: `changes` are laid over those of a log-in,
    /// and null takes one away.
    ///
    /// # Panics
    /// Where the provider is gone.
    pub async fn forged_id_token(&self, login: &str, changes: Json) -> String {
        let request = self.http.post(format!("{}/sign", self.issuer));
        let answer = request.json(&json!({ "login": login, "changes": changes })).send().await.unwrap();
        let answer: Json = answer.json().await.unwrap();
        answer["token"].as_str().unwrap().to_owned()
    }
}

/// The folder that the provider is installed in, beside the programs that are built. Done once, by one process at a
/// time.
fn installed() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().and_then(std::path::Path::parent).unwrap().join("openid-server");
    std::fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    write(&folder.join("server.mjs"), SERVER);
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == LOCK) {
        return folder;
    }
    write(&folder.join("package.json"), PACKAGE);
    write(&folder.join("package-lock.json"), LOCK);
    let mut npm = std::process::Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder).stdin(Stdio::null());
    let output = npm.output().expect("npm installs the OpenID provider of the tests; install nodejs and npm");
    assert!(output.status.success(), "npm ci failed: {}", String::from_utf8_lossy(&output.stderr));
    write(&stamp, LOCK);
    folder
}

/// Writes a file as a whole, so that whoever runs it never reads half of it.
fn write(file: &std::path::Path, text: &str) {
    if std::fs::read_to_string(file).is_ok_and(|there| there == text) {
        return;
    }
    let half = file.with_extension("half");
    std::fs::write(&half, text).unwrap();
    std::fs::rename(half, file).unwrap();
}
