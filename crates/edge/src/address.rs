//! The client's real address and scheme, behind any reverse proxies that are trusted.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header::FORWARDED};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Whose word is taken for a client's address.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Networks of trusted proxies.
    pub proxies: Vec<IpNet>,
    /// Whether a trusted proxy's `X-Real-IP` decides.
    pub real_ip: bool,
}

impl Trust {
    fn covers(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }

    /// The client's address: the peer's, or what trusted proxies say. IPv4 is never written as IPv6.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.covers(peer) {
            return peer;
        }
        if self.real_ip
            && let Some(address) = headers.get(REAL_IP).and_then(|value| value.to_str().ok()).and_then(address)
        {
            return address;
        }
        let mut hops: Vec<&str>;
        let read: fn(&str) -> Option<IpAddr>;
        if headers.contains_key(FORWARDED_FOR) {
            hops = elements(headers, &FORWARDED_FOR, |text| Box::new(text.split(',')));
            read = address;
        } else {
            hops = elements(headers, &FORWARDED, |text| Box::new(outside_quotes(text, ',')));
            read = |element| address(parameter(element, "for")?);
        }
        let mut last_good = peer;
        while let Some(hop) = hops.pop() {
            let Some(address) = read(hop) else { break };
            last_good = address;
            if !self.covers(address) {
                break;
            }
        }
        last_good
    }

    /// Whether the client speaks HTTPS to the proxy; only trusted and loopback peers can say so.
    pub fn secure(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let peer = peer.to_canonical();
        if !(peer.is_loopback() || self.covers(peer)) {
            return false;
        }
        let scheme = if headers.contains_key(FORWARDED_PROTO) {
            elements(headers, &FORWARDED_PROTO, |text| Box::new(text.split(','))).pop()
        } else {
            elements(headers, &FORWARDED, |text| Box::new(outside_quotes(text, ',')))
                .pop()
                .and_then(|element| parameter(element, "proto"))
        };
        scheme.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
    }
}

/// All elements of a list header, over all its lines. A line that is not text becomes one unreadable element.
fn elements<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    split: fn(&'a str) -> Box<dyn Iterator<Item = &'a str> + 'a>,
) -> Vec<&'a str> {
    headers.get_all(name).iter().flat_map(|line| split(line.to_str().unwrap_or("?"))).collect()
}

/// An address with or without a port, brackets or quotes.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let text = text.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(text);
    let bare = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// The value of a parameter of one `Forwarded` element.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    outside_quotes(element, ';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value);
        key.trim().eq_ignore_ascii_case(name).then_some(value)
    })
}

fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
