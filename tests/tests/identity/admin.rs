//! What the stories about administrators share.

use insula_tests::{Answer, Client};
use reqwest::Method;
use serde_json::{Value as Json, json};

/// The password of everyone whom these stories make.
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) async fn patch(client: &Client, path: &str, body: &Json) -> Answer {
    let headers = [("content-type", "application/json")];
    client.send(Method::PATCH, path, &headers, Some(body.to_string().into_bytes())).await
}

pub(crate) async fn delete(client: &Client, path: &str) -> Answer {
    client.send(Method::DELETE, path, &[], None).await
}

/// Makes a user over HTTP and gives the answer's user.
pub(crate) async fn make(client: &Client, username: &str, group: &str) -> Json {
    let body = json!({"username": username, "password": PASSWORD, "group": group});
    let made = client.post("/admin/users", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.body["user"].clone()
}

/// The values of a field of all entries of a list, page by page.
pub(crate) async fn pages(client: &Client, path: &str, list: &str, field: &str) -> Vec<Vec<Json>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = client.get(&format!("{path}{cursor}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let rows = answer.body[list].as_array().unwrap();
        pages.push(rows.iter().map(|row| row[field].clone()).collect());
        match answer.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}
