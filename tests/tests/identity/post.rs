//! Letters as whoever gets them sees them: files in the folder of a server that has no mail server.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use insula_tests::{Answer, Backend, Client, World, until};
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value as Json, json};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// The folder, and which letters of it were read already.
pub(crate) struct Post {
    folder: PathBuf,
    read: Mutex<HashSet<PathBuf>>,
}

/// A letter that has arrived.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Letter {
    fn parse(written: &str) -> Self {
        let (head, body) = written.split_once("\r\n\r\n").unwrap();
        let to = head.lines().find_map(|line| line.strip_prefix("To: ")).unwrap();
        let to = to.trim_matches(['<', '>']).rsplit_once('<').map_or(to, |(_, address)| address);
        // The text comes before the HTML, or is alone.
        let text = body.split_once("text/plain").map_or(body, |(_, part)| part.split_once("\r\n\r\n").unwrap().1);
        // Quoted-printable, as far as links need it.
        let text = text.replace("=\r\n", "").replace("=3D", "=");
        Self { to: to.trim_matches(['<', '>']).to_owned(), text }
    }

    /// The token in the letter's link.
    pub(crate) fn token(&self) -> String {
        let (_, rest) = self.text.split_once("?token=").unwrap_or_else(|| panic!("no token in {}", self.text));
        let token: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        assert_eq!(token.len(), 44, "{}", self.text);
        token
    }
}

impl Post {
    /// A world whose letters go to a folder, with further settings.
    pub(crate) async fn world(backend: Backend, change: impl FnOnce(&mut identity::IdentityConfig)) -> (World, Self) {
        let mut folder = PathBuf::new();
        let world = World::configured(backend, |config| {
            folder = config.data.join("letters");
            config.identity.mail.folder = Some(folder.clone());
            change(&mut config.identity);
        })
        .await;
        (world, Self { folder, read: Mutex::default() })
    }

    /// The next letter to an address.
    pub(crate) async fn next(&self, to: &str) -> Letter {
        let mut found = None;
        until(&format!("a letter to {to} arrives"), Duration::from_secs(10), async || {
            found = self.unread().into_iter().find(|(_, letter)| letter.to == to);
            found.is_some()
        })
        .await;
        let (path, letter) = found.unwrap();
        self.read.lock().insert(path);
        letter
    }

    /// How many letters to an address nobody has read yet.
    pub(crate) fn waiting(&self, to: &str) -> usize {
        self.unread().iter().filter(|(_, letter)| letter.to == to).count()
    }

    /// Waits until everything that was asked for up to now has been sent or dropped.
    pub(crate) async fn settled(&self, world: &World) {
        let control = world.server.installation().tenants.control().clone();
        until("all letters are on their way", Duration::from_secs(20), async || {
            let mut waiting = sea_query::Query::select();
            waiting.column(sea_query::Alias::new("id")).from(control.ddl().table("_letters"));
            waiting.and_where(sea_query::ExprTrait::is_null(sea_query::Expr::col(sea_query::Alias::new("done_at"))));
            control.read(&waiting).await.unwrap().is_empty()
        })
        .await;
    }

    fn unread(&self) -> Vec<(PathBuf, Letter)> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| end == "eml") && !self.read.lock().contains(path));
        paths.sort();
        paths.into_iter().map(|path| (path.clone(), Letter::parse(&std::fs::read_to_string(path).unwrap()))).collect()
    }
}

/// Registers at the first tenant.
pub(crate) async fn register(client: &Client, username: &str) -> Answer {
    let email = format!("{username}@example.com");
    let body = json!({ "username": username, "email": email, "password": PASSWORD });
    client.post("/auth/register", &body).await
}

/// Registers and comes in.
pub(crate) async fn registered(world: &World, username: &str) -> Client {
    let client = world.at(&world.tenant);
    let answer = register(&client, username).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    client.with_token(answer.body["token"].as_str().unwrap())
}

/// Logs in without expecting anything.
pub(crate) async fn log_in(client: &Client, username: &str, password: &str) -> Answer {
    client.post("/auth/login", &json!({ "method": "password", "username": username, "password": password })).await
}

/// Sends JSON by another method than POST.
pub(crate) async fn send(client: &Client, method: Method, path: &str, body: &Json) -> Answer {
    let json = [("content-type", "application/json")];
    client.send(method, path, &json, Some(body.to_string().into_bytes())).await
}
