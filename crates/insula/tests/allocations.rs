//! How often a request takes memory. The number is the same on every machine, so that a request that has become dearer
//! shows, where its time would not.

#![expect(clippy::unwrap_used, reason = "a test that fails has failed")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use insula::{Config, Options, Server};
use tokio::{runtime, sync::oneshot};

/// Requests that are counted, after as many that are not.
const REQUESTS: usize = 200;

/// The number of the next category: names are unique.
static NEW: AtomicUsize = AtomicUsize::new(0);

/// Reads one answer, and gives its body.
fn answer(stream: &mut TcpStream) -> String {
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the connection ended");
        seen.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&seen);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse().unwrap() {
            return body.to_owned();
        }
    }
}

fn ask(stream: &mut TcpStream, path: &str, token: &str, body: &str) -> String {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
    let request = format!("{head}content-length: {length}\r\nauthorization: Bearer {token}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    answer(stream)
}

fn log_in(address: SocketAddr, username: &str, password: &str) -> String {
    let body = format!(r#"{{"method":"password","username":"{username}","password":"{password}"}}"#);
    let answer = ask(&mut TcpStream::connect(address).unwrap(), "/auth/login", "none", &body);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

/// A server with one thread that works, and what it is asked by a thread of its own.
struct Stage {
    runtime: runtime::Runtime,
    address: SocketAddr,
    token: String,
    _server: Server,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut config = Config { data: folder.path().to_owned(), ..Config::default() };
        config.server.listen.set_port(0);
        config.server.rate_limit.enabled = false;
        let options = Options { config, demo: true, ..Options::default() };
        let server = runtime.block_on(Server::start(options)).unwrap();
        let address = server.address();
        let accounts = server.ready().accounts.as_ref().unwrap();
        let mona = accounts.iter().find(|account| account.username == "mona").unwrap();
        let (username, password) = (mona.username.clone(), mona.password.clone());
        let token = Self::beside(&runtime, move || log_in(address, &username, &password));
        Self { runtime, address, token, _server: server, _folder: folder }
    }

    /// Serves until another thread has done its work.
    fn beside<T: Send + 'static>(runtime: &runtime::Runtime, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, is_done) = oneshot::channel();
        let worker = thread::spawn(move || {
            let done_with = work();
            let _ = done.send(());
            done_with
        });
        let _ = runtime.block_on(is_done);
        worker.join().unwrap()
    }

    /// How often the thread that serves takes memory for a request.
    fn allocations(&self, request: impl Fn(usize) -> String + Copy + Send + 'static) -> u64 {
        let (address, token) = (self.address, self.token.clone());
        let send = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            for number in 0..REQUESTS {
                let answer = ask(&mut stream, "/query", &token, &request(number));
                assert!(answer.starts_with(r#"{"success":true"#), "{answer}");
            }
        };
        Self::beside(&self.runtime, send.clone());
        let counted = allocation_counter::measure(|| Self::beside(&self.runtime, send));
        counted.count_total / REQUESTS as u64
    }
}

#[test]
fn requests_take_memory_as_seldom_as_they_did() {
    let stage = Stage::new();
    let one = stage.allocations(|number| {
        format!(r#"{{"action":"select","table":"assets","where":{{"id":{}}}}}"#, number % 100 + 1)
    });
    let list = stage.allocations(|number| {
        let offset = number % 10;
        format!(r#"{{"action":"select","table":"assets","order_by":[{{"column":"id"}}],"limit":20,"offset":{offset}}}"#)
    });
    let insert = stage.allocations(|_| {
        let new = NEW.fetch_add(1, Ordering::Relaxed);
        format!(r#"{{"action":"insert","table":"categories","data":{{"name":"A new category {new}"}}}}"#)
    });
    println!("allocations: one row {one}, twenty rows {list}, an insert {insert}");
    assert!(one <= 52, "a read of one row takes memory {one} times");
    assert!(list <= 68, "a list takes memory {list} times");
    assert!(insert <= 57, "an insert takes memory {insert} times");
}
