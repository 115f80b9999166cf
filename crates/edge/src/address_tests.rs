use std::net::{IpAddr, Ipv4Addr};

use http::HeaderMap;
use proptest::prelude::*;

use super::Trust;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn trust(networks: &[&str]) -> Trust {
    Trust { proxies: networks.iter().map(|network| network.parse().unwrap()).collect(), real_ip: false }
}

fn client(trust: &Trust, peer: &str, lines: &[(&'static str, &str)]) -> String {
    trust.client(peer.parse().unwrap(), &headers(lines)).to_string()
}

#[test]
fn a_peer_that_is_not_trusted_is_the_client() {
    let forged = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=1.1.1.1"), ("x-real-ip", "1.1.1.1")];
    assert_eq!(client(&trust(&[]), "192.0.2.1", &forged), "192.0.2.1");
    assert_eq!(client(&trust(&["10.0.0.0/8"]), "192.0.2.1", &forged), "192.0.2.1");
    assert_eq!(client(&trust(&[]), "::ffff:192.0.2.1", &forged), "192.0.2.1");
}

#[test]
fn the_walk_goes_from_the_right_to_the_first_stranger() {
    let trust = trust(&["10.0.0.0/8", "2001:db8::/32"]);
    for (list, expected) in [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        ("203.0.113.9:4711,10.1.1.1", "203.0.113.9"),
        ("[2001:470::1]:4711, 2001:db8::5", "2001:470::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.9, 10.0.0.8", "10.0.0.9"),
        ("1.1.1.1, rubbish, 10.0.0.7", "10.0.0.7"),
        ("rubbish", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("1.1.1.1,", "10.0.0.1"),
    ] {
        assert_eq!(client(&trust, "10.0.0.1", &[("x-forwarded-for", list)]), expected, "{list}");
    }
    let two_lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.9, 10.0.0.2")];
    assert_eq!(client(&trust, "::ffff:10.0.0.1", &two_lines), "203.0.113.9");
    assert_eq!(client(&trust, "10.0.0.1", &[]), "10.0.0.1");
}

#[test]
fn the_forwarded_header() {
    let trust = trust(&["10.0.0.0/8"]);
    for (list, expected) in [
        ("for=203.0.113.9", "203.0.113.9"),
        ("for=6.6.6.6, For=\"203.0.113.9:4711\";proto=https;by=10.0.0.1", "203.0.113.9"),
        ("by=\"a,b;for=6.6.6.6\";for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
        ("for=6.6.6.6, for=unknown", "10.0.0.1"),
        ("for=6.6.6.6, for=_hidden, for=10.0.0.3", "10.0.0.3"),
        ("proto=https", "10.0.0.1"),
    ] {
        assert_eq!(client(&trust, "10.0.0.1", &[("forwarded", list)]), expected, "{list}");
    }
}

#[test]
fn x_real_ip_only_where_configured() {
    let lines = [("x-real-ip", "203.0.113.9"), ("x-forwarded-for", "198.51.100.1")];
    let mut trust = trust(&["10.0.0.0/8"]);
    assert_eq!(client(&trust, "10.0.0.1", &lines), "198.51.100.1");
    trust.real_ip = true;
    assert_eq!(client(&trust, "10.0.0.1", &lines), "203.0.113.9");
    assert_eq!(client(&trust, "192.0.2.1", &lines), "192.0.2.1");
    assert_eq!(client(&trust, "10.0.0.1", &[("x-real-ip", "nonsense")]), "10.0.0.1");
}

#[test]
fn the_scheme_is_believed_from_trusted_and_loopback_peers() {
    let trust = trust(&["10.0.0.0/8"]);
    let secure = |peer: &str, lines: &[(&'static str, &str)]| trust.secure(peer.parse().unwrap(), &headers(lines));
    let https = [("x-forwarded-proto", "HTTPS")];
    assert!(secure("10.0.0.1", &https) && secure("127.0.0.1", &https) && secure("::1", &https));
    assert!(secure("::ffff:127.0.0.1", &https));
    assert!(!secure("192.0.2.1", &https));
    assert!(!secure("127.0.0.1", &[]));
    assert!(!secure("127.0.0.1", &[("x-forwarded-proto", "https, http")]));
    assert!(secure("127.0.0.1", &[("forwarded", "for=1.1.1.1;proto=https")]));
    assert!(!secure("127.0.0.1", &[("forwarded", "for=1.1.1.1;proto=http")]));
}

proptest! {
    #[test]
    fn no_header_panics(list in "[ -~]{0,200}", proto in "[ -~]{0,40}") {
        let trust = trust(&["0.0.0.0/0", "::/0"]);
        for name in ["x-forwarded-for", "forwarded"] {
            let headers = headers(&[(name, &list), ("x-forwarded-proto", &proto)]);
            trust.client(IpAddr::V4(Ipv4Addr::LOCALHOST), &headers);
            trust.secure(IpAddr::V4(Ipv4Addr::LOCALHOST), &headers);
        }
    }

    #[test]
    fn nothing_left_of_the_first_stranger_matters(
        forged in "[ -~]{0,60}", stranger in any::<IpAddr>(), proxies in prop::collection::vec(any::<[u8; 3]>(), 0..4),
    ) {
        let trust = trust(&["10.0.0.0/8"]);
        prop_assume!(!trust.covers(stranger.to_canonical()));
        let mut list = vec![forged, stranger.to_string()];
        list.extend(proxies.into_iter().map(|[a, b, c]| format!("10.{a}.{b}.{c}")));
        let list = list.join(", ");
        let headers = headers(&[("x-forwarded-for", &list)]);
        prop_assert_eq!(trust.client("10.0.0.1".parse().unwrap(), &headers), stranger.to_canonical());
    }

    #[test]
    fn an_untrusted_peer_is_always_itself(peer in any::<IpAddr>(), list in "[ -~]{0,60}") {
        prop_assert_eq!(trust(&[]).client(peer, &headers(&[("x-forwarded-for", &list)])), peer.to_canonical());
    }
}
