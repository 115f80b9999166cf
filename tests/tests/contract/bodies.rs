//! How large a body may be, said beforehand or not.

use insula_tests::{Backend, Client, World, on_all_databases};
use kernel::ByteSize;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

on_all_databases!(the_limit_is_exact_with_a_length, the_limit_is_exact_without_a_length);

const LIMIT: usize = 2_000;

async fn world(backend: Backend) -> (World, Client) {
    let world = World::configured(backend, |config| config.server.max_body_size = ByteSize(LIMIT as u64)).await;
    world.tables("CREATE TABLE notes (id SERIAL, note TEXT)").await;
    let ada = world.user("ada", "administrators").await;
    (world, ada)
}

/// A good request of so many bytes.
fn sized(bytes: usize) -> String {
    let body = |note: &str| json!({"action": "insert", "table": "notes", "data": {"note": note}}).to_string();
    body(&"n".repeat(bytes - body("").len()))
}

/// Sends a body in chunks of a hundred bytes without saying how long it is; all of what is answered.
async fn chunked(world: &World, client: &Client, body: &str) -> String {
    let address = world.server.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /query HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        client.token.as_deref().unwrap()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in body.as_bytes().chunks(100) {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        // A server that has refused already does not listen to the rest.
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let _ = stream.write_all(b"0\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn the_limit_is_exact_with_a_length(backend: Backend) {
    let (world, ada) = world(backend).await;
    assert_eq!(ada.post_text("/query", &sized(LIMIT)).await.status, 200);
    let answer = ada.post_text("/query", &sized(LIMIT + 1)).await;
    assert_eq!(answer.refusal(), (413, "body_too_large"));
    assert_eq!(answer.headers["connection"], "close");
    assert!(answer.body["error"].as_str().unwrap().contains("2000B"), "{}", answer.text);
    // Who may not come in is told so, and not how large a body may be.
    assert_eq!(world.anonymous().post_text("/query", &sized(LIMIT * 2)).await.status, 401);
    assert_eq!(ada.query(json!({"action": "count", "table": "notes"})).await.data(), 1);
    world.end().await;
}

async fn the_limit_is_exact_without_a_length(backend: Backend) {
    let (world, ada) = world(backend).await;
    let answer = chunked(&world, &ada, &sized(LIMIT)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for bytes in [LIMIT + 1, LIMIT * 10] {
        let answer = chunked(&world, &ada, &sized(bytes)).await;
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"), "{bytes}: {answer}");
        assert!(answer.contains("application/json"), "{answer}");
    }
    assert_eq!(ada.query(json!({"action": "count", "table": "notes"})).await.data(), 1);
    world.end().await;
}
