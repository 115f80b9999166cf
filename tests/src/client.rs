//! Callers.

use reqwest::{Method, header::HeaderMap};
use serde_json::{Value as Json, json};

/// A caller of the server: anonymous, or with a session.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    /// The host name that is asked for, where it is not the server's own address.
    pub(crate) host: Option<String>,
    /// The bearer token.
    pub token: Option<String>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null where there was none.
    pub body: Json,
    /// The body as it came.
    pub text: String,
}

/// What callers speak HTTP with: they show where they are sent, and go nowhere by themselves.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

impl Client {
    /// A caller without a credential at an address such as `http://127.0.0.1:5777`.
    pub fn of(url: impl Into<String>) -> Self {
        let http = http();
        Self { http, url: url.into(), host: None, token: None }
    }

    /// The same caller with a token.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The same caller at another host name.
    #[must_use]
    pub fn at_host(&self, host: impl Into<String>) -> Self {
        Self { host: Some(host.into()), ..self.clone() }
    }

    /// Sends a request with a body as it is.
    ///
    /// # Panics
    /// Where there is no answer.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Answer {
        self.try_send(method, path, headers, body.map(Into::into)).await.unwrap()
    }

    /// Sends a request to a server that may break off.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<reqwest::Body>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(host) = &self.host {
            request = request.header("host", host);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = kernel::json::value(text.as_bytes()).unwrap_or(Json::Null);
        Ok(Answer { status, headers, body, text })
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// Posts JSON to a path.
    pub async fn post(&self, path: &str, body: &Json) -> Answer {
        self.post_text(path, &body.to_string()).await
    }

    /// Posts text as JSON to a path, well-formed or not.
    pub async fn post_text(&self, path: &str, body: &str) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(Method::POST, path, &json, Some(body.as_bytes().to_vec())).await
    }

    /// Asks the data API.
    pub async fn query(&self, query: Json) -> Answer {
        self.post("/query", &query).await
    }

    /// Logs in and becomes a caller with a session.
    ///
    /// # Panics
    /// Where the log in is refused.
    pub async fn log_in(&self, username: &str, password: &str) -> Self {
        let answer = self
            .post("/auth/login", &json!({ "method": "password", "username": username, "password": password }))
            .await;
        let token = answer.body["token"].as_str();
        self.with_token(token.unwrap_or_else(|| panic!("{username} cannot log in: {}", answer.text)))
    }
}

impl Answer {
    /// Status and body in one value, for snapshots: everything, with what differs from run to run replaced.
    pub fn whole(&self) -> Json {
        json!({ "status": self.status, "body": redacted(&self.body) })
    }

    /// Status and reason of a refusal.
    pub fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["reason"].as_str().unwrap_or_default())
    }

    /// The field that a refusal is about.
    pub fn field(&self) -> &str {
        self.body["field"].as_str().unwrap_or_default()
    }

    /// The field `data`.
    ///
    /// # Panics
    /// Where the request was refused.
    pub fn data(&self) -> &Json {
        assert_eq!(self.status, 200, "{}", self.text);
        &self.body["data"]
    }
}

/// Request ids, tokens and moments are never the same twice.
fn redacted(value: &Json) -> Json {
    match value {
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), redacted_field(name, value))).collect()
        }
        Json::Array(values) => values.iter().map(redacted).collect(),
        Json::String(text) => match text.split_once(" [request_id: ") {
            Some((before, _)) => json!(format!("{before} [request_id: …]")),
            None => value.clone(),
        },
        other => other.clone(),
    }
}

fn redacted_field(name: &str, value: &Json) -> Json {
    match (name, value) {
        ("request_id" | "token" | "refresh_token" | "uuid", Json::String(_)) => json!("…"),
        (name, Json::String(_)) if name.ends_with("_at") || name == "last_accessed" => json!("a moment"),
        _ => redacted(value),
    }
}
