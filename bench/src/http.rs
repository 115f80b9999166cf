//! Requests as bytes, written once and sent as they are.

use std::{io::Write as _, net::SocketAddr};

/// The requests of one operation, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    /// Forgets what was written, and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds one request. `headers` are whole lines, each with its line end.
    pub(crate) fn push(&mut self, method: &str, host: impl Host, path: &str, headers: &str, body: &str) {
        // Writing to a vector cannot fail.
        let _ = write!(self.bytes, "{method} {path} HTTP/1.1\r\nHost: ");
        host.write(&mut self.bytes);
        let _ = match method {
            "GET" => write!(self.bytes, "\r\n{headers}\r\n"),
            _ => write!(
                self.bytes,
                "\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        };
        self.ends.push(self.bytes.len());
    }

    /// Adds a request that is written already.
    pub(crate) fn push_bytes(&mut self, request: &[u8]) {
        self.bytes.extend_from_slice(request);
        self.ends.push(self.bytes.len());
    }

    /// The bytes of each request.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, &end)| &self.bytes[begin..end])
    }
}

/// Whom a request is for: an address, or the name of a host.
pub(crate) trait Host {
    /// Writes it as the header wants it.
    fn write(&self, bytes: &mut Vec<u8>);
}

impl Host for SocketAddr {
    fn write(&self, bytes: &mut Vec<u8>) {
        let _ = write!(bytes, "{self}");
    }
}

impl Host for &str {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }
}

/// The header of a session token or an API key; nothing where there is none.
pub(crate) fn bearer(token: Option<&str>) -> String {
    token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default()
}

/// The bytes of one POST request.
pub(crate) fn post(host: impl Host, path: &str, token: Option<&str>, body: &str) -> Vec<u8> {
    one("POST", host, path, &bearer(token), body)
}

/// The bytes of one request.
pub(crate) fn one(method: &str, host: impl Host, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let mut requests = Requests::default();
    requests.push(method, host, path, headers, body);
    requests.bytes
}

#[cfg(test)]
mod tests {
    use super::{Requests, bearer};

    #[test]
    fn a_request_declares_the_length_of_its_body() {
        let mut requests = Requests::default();
        requests.push("POST", "localhost", "/gone", "", "");
        requests.clear();
        requests.push("POST", "localhost", "/query", &bearer(Some("secret")), "{\"a\":1}");
        requests.push("GET", "localhost", "/read?id=7", &bearer(None), "");
        let texts: Vec<_> = requests.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        assert_eq!(
            texts,
            [
                "POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                 Authorization: Bearer secret\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
                "GET /read?id=7 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            ]
        );
    }
}
