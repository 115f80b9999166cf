//! Host names: what a request's authority says before any tenant is looked up.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The first label of a tenant's host: which of its doors is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// `api.`, the data API.
    Api,
    /// `assets.`, files.
    Assets,
    /// `webhooks.`, calls from outside services.
    Webhooks,
}

/// Where an authority leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host<'a> {
    /// An IP address, `localhost`, or a name below `localhost` that has no room: the first tenant.
    Direct,
    /// A room of the tenant with this domain, in lower case.
    Room {
        /// Which room.
        room: Room,
        /// The rest of the name.
        domain: Cow<'a, str>,
        /// Whether the name ends in `localhost`, so that it is [`Host::Direct`] where no tenant has the domain.
        loopback: bool,
    },
    /// Any other name: a bare domain, `www.`, a stranger's.
    Other,
}

impl<'a> Host<'a> {
    /// Reads an authority, `name`, `name:port` or `[address]:port`. None where it is malformed.
    pub fn parse(authority: &'a str) -> Option<Self> {
        let Authority::Name(name) = read(authority)? else { return Some(Self::Direct) };
        let loopback = ends_in_localhost(name);
        let room = name.split_once('.').and_then(|(first, rest)| Some((room(first)?, rest)));
        Some(match room {
            Some((room, domain)) if !domain.eq_ignore_ascii_case("localhost") => {
                Self::Room { room, domain: lower(domain), loopback }
            }
            _ if loopback => Self::Direct,
            _ => Self::Other,
        })
    }
}

/// The host of an authority in lower case, without port, brackets and trailing dot. None where it is malformed.
pub fn canonical(authority: &str) -> Option<String> {
    match read(authority)? {
        Authority::Name(name) => Some(name.to_ascii_lowercase()),
        Authority::Address(address) => Some(address.to_string()),
    }
}

enum Authority<'a> {
    /// A name, without port and trailing dot.
    Name(&'a str),
    /// An IP address.
    Address(IpAddr),
}

fn read(authority: &str) -> Option<Authority<'_>> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = if rest.is_empty() { rest } else { rest.strip_prefix(':')? };
        return is_port(port).then_some(Authority::Address(address.into()));
    }
    let (name, port) = authority.split_once(':').unwrap_or((authority, ""));
    let name = name.strip_suffix('.').unwrap_or(name);
    if !is_port(port) || name.len() > 253 || !name.split('.').all(is_label) {
        return None;
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return name.parse::<Ipv4Addr>().ok().map(|address| Authority::Address(address.into()));
    }
    Some(Authority::Name(name))
}

fn is_port(text: &str) -> bool {
    text.is_empty() || (text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn ends_in_localhost(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
}

fn room(label: &str) -> Option<Room> {
    let rooms = [("api", Room::Api), ("assets", Room::Assets), ("webhooks", Room::Webhooks)];
    rooms.into_iter().find(|(word, _)| label.eq_ignore_ascii_case(word)).map(|(_, room)| room)
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) { text.to_ascii_lowercase().into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::{Host, Room, canonical};
    use proptest::prelude::*;

    fn at(room: Room, domain: &'static str, loopback: bool) -> Host<'static> {
        Host::Room { room, domain: domain.into(), loopback }
    }

    #[test]
    fn rooms_of_domains() {
        assert_eq!(Host::parse("api.example.com"), Some(at(Room::Api, "example.com", false)));
        assert_eq!(Host::parse("API.Example.COM.:5777"), Some(at(Room::Api, "example.com", false)));
        assert_eq!(Host::parse("assets.example.com:80"), Some(at(Room::Assets, "example.com", false)));
        assert_eq!(Host::parse("webhooks.a.b.example"), Some(at(Room::Webhooks, "a.b.example", false)));
        assert_eq!(Host::parse("api.demo.localhost"), Some(at(Room::Api, "demo.localhost", true)));
        assert_eq!(Host::parse("api.xn--bcher-kva.example:"), Some(at(Room::Api, "xn--bcher-kva.example", false)));
    }

    #[test]
    fn loopback_names_and_addresses() {
        for direct in [
            "localhost",
            "LocalHost:1",
            "localhost.",
            "api.localhost",
            "x.localhost",
            "demo.localhost:5777",
            "127.0.0.1",
            "127.9.9.9:80",
            "192.0.2.7",
            "[::1]",
            "[::1]:5777",
            "[2001:db8::7]:1",
        ] {
            assert_eq!(Host::parse(direct), Some(Host::Direct), "{direct}");
        }
    }

    #[test]
    fn other_names() {
        for other in ["example.com", "www.example.com", "api", "apix.example.com", "localhost.example.com", "host"] {
            assert_eq!(Host::parse(other), Some(Host::Other), "{other}");
        }
    }

    #[test]
    fn malformed_authorities() {
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            ":80",
            "a:b",
            "a:99999",
            "a:1:2",
            "a b",
            "a/b",
            "user@api.example.com",
            "::1",
            "[::1",
            "[::1]x",
            "[::1%25eth0]",
            "[127.0.0.1]",
            "127.1",
            "1.2.3.4.5",
            "256.1.1.1",
            "api.bücher.example",
            "api.%65xample.com",
            "-\u{0}",
            "api.example.com,api.other.com",
        ] {
            assert!(Host::parse(bad).is_none(), "{bad:?} gave {:?}", Host::parse(bad));
        }
        assert!(Host::parse(&format!("{}.com", "a".repeat(64))).is_none());
        assert!(Host::parse(&"a.".repeat(127)).is_some());
        assert!(Host::parse(&"a.".repeat(128)).is_none());
    }

    #[test]
    fn canonical_names() {
        assert_eq!(canonical("API.LocalHost.:5777").as_deref(), Some("api.localhost"));
        assert_eq!(canonical("127.0.0.1:1").as_deref(), Some("127.0.0.1"));
        assert_eq!(canonical("[::1]").as_deref(), Some("::1"));
        assert_eq!(canonical("a b"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Host::parse(&text);
            let _ = canonical(&text);
        }

        #[test]
        fn port_case_and_trailing_dot_change_nothing(
            room in "(api|assets|webhooks|www)", domain in "[a-z][a-z0-9-]{0,20}(\\.[a-z]{2,8}){1,3}", port in any::<u16>(),
        ) {
            let plain = format!("{room}.{domain}");
            let decorated = format!("{}.:{port}", plain.to_uppercase());
            prop_assert_eq!(Host::parse(&decorated), Host::parse(&plain));
        }

        #[test]
        fn every_address_is_direct(address in any::<std::net::IpAddr>(), port in any::<u16>()) {
            let authority = std::net::SocketAddr::new(address, port).to_string();
            prop_assert_eq!(Host::parse(&authority), Some(Host::Direct));
        }
    }
}
