//! The two servers that can be measured, and how each is asked.

use std::{io::Write as _, net::SocketAddr};

use crate::workload::{BODY, Request};

/// A server that runs, in its own words.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its name in tables and results.
    pub(crate) name: &'static str,
    /// Which of the two it is.
    pub(crate) dialect: Dialect,
}

/// How a server wants to be asked.
#[derive(Debug, Clone)]
pub(crate) enum Dialect {
    /// The bare server.
    Bare,
    /// Insula, as a caller with this session token or API key.
    Insula { token: String },
}

impl Target {
    /// The bytes of a request, head and body, in place of what `bytes` held.
    pub(crate) fn write(&self, request: Request, bytes: &mut Vec<u8>) {
        let (path, body) = match self.dialect {
            Dialect::Bare => bare(request),
            Dialect::Insula { .. } => ("/query", insula(request)),
        };
        let token = match &self.dialect {
            Dialect::Bare => None,
            Dialect::Insula { token } => Some(token.as_str()),
        };
        post(self.address, path, token, &body, bytes);
    }
}

/// A POST request's bytes, in place of what `bytes` held.
pub(crate) fn post(address: SocketAddr, path: &str, token: Option<&str>, body: &str, bytes: &mut Vec<u8>) {
    bytes.clear();
    let (before, token, after) = match token {
        Some(token) => ("Authorization: Bearer ", token, "\r\n"),
        None => ("", "", ""),
    };
    // Writing to a vector cannot fail.
    let _ = write!(
        bytes,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{before}{token}{after}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
}

fn bare(request: Request) -> (&'static str, String) {
    match request {
        Request::Read { id } => ("/read", format!(r#"{{"id":{id}}}"#)),
        Request::List { offset } => ("/list", format!(r#"{{"offset":{offset}}}"#)),
        Request::Insert { room, author } => {
            ("/insert", format!(r#"{{"room":{room},"author":{author},"body":"{BODY}"}}"#))
        }
    }
}

fn insula(request: Request) -> String {
    match request {
        Request::Read { id } => format!(r#"{{"action":"select","table":"message","where":{{"id":{id}}}}}"#),
        Request::List { offset } => format!(
            r#"{{"action":"select","table":"message","order_by":[{{"column":"id"}}],"limit":20,"offset":{offset}}}"#
        ),
        Request::Insert { room, author } => format!(
            r#"{{"action":"insert","table":"message","data":{{"room":{room},"author":{author},"body":"{BODY}"}}}}"#
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect, Target, bare, insula};
    use crate::workload::Request;
    use serde_json::Value;

    const REQUESTS: [Request; 3] =
        [Request::Read { id: 5 }, Request::List { offset: 40 }, Request::Insert { room: 1, author: 2 }];

    #[test]
    fn bodies_are_json() -> serde_json::Result<()> {
        for request in REQUESTS {
            serde_json::from_str::<Value>(&bare(request).1)?;
            serde_json::from_str::<Value>(&insula(request))?;
        }
        Ok(())
    }

    #[test]
    fn a_request_declares_the_length_of_its_body() {
        let dialect = Dialect::Insula { token: "secret".to_owned() };
        let target = Target { address: ([127, 0, 0, 1], 80).into(), name: "insula", dialect };
        for request in REQUESTS {
            let mut bytes = b"of the one before".to_vec();
            target.write(request, &mut bytes);
            let text = String::from_utf8(bytes).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("POST /query HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"));
            assert!(head.contains("\r\nAuthorization: Bearer secret\r\n"));
            assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
        }
    }
}
