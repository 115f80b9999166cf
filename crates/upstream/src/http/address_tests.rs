use std::collections::BTreeMap;

use kernel::Reason;
use proptest::prelude::*;

use super::Address;

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn filled(address: &str, pairs: &[(&str, &str)], query: Option<&str>) -> Result<String, (Reason, Option<String>)> {
    let uri = Address::parse(address).unwrap().fill(&values(pairs), query);
    uri.map(|uri| uri.to_string()).map_err(|error| (error.reason, error.field))
}

#[test]
fn values_go_into_their_segments() {
    let fill = |address, pairs: &[_], query| filled(address, pairs, query).unwrap();
    assert_eq!(fill("http://a/x", &[], None), "http://a/x");
    assert_eq!(fill("http://a:81", &[], Some("q=1")), "http://a:81/?q=1");
    assert_eq!(fill("https://a/{id}/b/{no}", &[("id", "1 2"), ("no", "ä")], None), "https://a/1%202/b/%C3%A4");
    assert_eq!(fill("http://a/{id}", &[("id", "x/y?z#w@b:1")], None), "http://a/x%2Fy%3Fz%23w%40b%3A1");
    assert_eq!(fill("http://a/f/{*}", &[("*", "x/y z.png")], None), "http://a/f/x/y%20z.png");
    assert_eq!(fill("http://a/f/{*}", &[("*", "")], None), "http://a/f/");
    assert_eq!(fill("http://a/?k=1", &[], Some("q=2&r")), "http://a/?q=2&r=&k=1");
    // What this and a service might read in two ways is written in one.
    assert_eq!(fill("http://a/", &[], Some("a=1;b=2&&%zz=x y%26c=3")), "http://a/?a=1%3Bb%3D2&%25zz=x+y%26c%3D3");
    assert_eq!(fill("http://[::1]:9/{id}", &[("id", "%2e%2e")], Some("")), "http://[::1]:9/%252e%252e");
}

#[test]
fn addresses_that_are_not_fixed_are_refused() {
    for bad in [
        "",
        "/x",
        "a",
        "ftp://a/",
        "http://",
        "http:///x",
        "http://u:p@a/",
        "http://u@a/",
        "http://{h}/x",
        "http://a/{",
        "http://a/{}",
        "http://a/x{id}",
        "http://a/{id}.pdf",
        "http://a/{*}/x",
        "http://a/{a*}",
        "http://a/?q={id}",
        "http://a/#x",
        "http://a/ä",
        "http://a:99999999/",
        "http://a:/",
        "file:///etc/passwd",
        "http://a/ b",
    ] {
        assert!(Address::parse(bad).is_err(), "{bad}");
    }
    let address = Address::parse("http://a/{id}/x/{*}").unwrap();
    assert_eq!(address.names().collect::<Vec<_>>(), ["id", "*"]);
}

#[test]
fn values_that_climb_are_refused() {
    for bad in ["", ".", "..", "../x", "x/..", "x/../y", "..\\x", "x\\.", "a\0b", "a\r\nHost: b", "\u{7f}"] {
        let refusal = (Reason::FieldInvalid, Some("_path.id".to_owned()));
        assert_eq!(filled("http://a/{id}", &[("id", bad)], None), Err(refusal), "{bad:?}");
    }
    for bad in ["..", "x/../y", "/x", "x//y", "//b/x", "./x", "a\nb"] {
        assert_eq!(filled("http://a/{*}", &[("*", bad)], None).unwrap_err().1.as_deref(), Some("_path.*"), "{bad:?}");
    }
}

#[test]
fn a_fixed_query_cannot_be_overridden() {
    for own in ["k=2", "q=1&k=2", "%6b=2", "k"] {
        let refusal = (Reason::FieldInvalid, Some("k".to_owned()));
        assert_eq!(filled("http://a/?k=1", &[], Some(own)), Err(refusal), "{own}");
    }
}

#[test]
fn an_address_that_grows_too_long_is_the_callers_fault() {
    let long = "x".repeat(70_000);
    assert_eq!(filled("http://a/{id}", &[("id", &long)], None).unwrap_err().0, Reason::BadRequest);
}

proptest! {
    #[test]
    fn nothing_a_caller_sends_changes_the_place(id in ".*", rest in ".*", query in proptest::option::of(".*")) {
        let address = Address::parse("http://10.0.0.1:7001/in/{id}/{*}?k=1").unwrap();
        if let Ok(uri) = address.fill(&values(&[("id", &id), ("*", &rest)]), query.as_deref()) {
            prop_assert_eq!(uri.scheme_str(), Some("http"));
            prop_assert_eq!(uri.authority().map(http::uri::Authority::as_str), Some("10.0.0.1:7001"));
            prop_assert!(uri.path().starts_with("/in/"));
            prop_assert!(!uri.path().split('/').any(|part| part == "." || part == ".."));
            let sent = uri.query().unwrap();
            prop_assert!(sent == "k=1" || sent.ends_with("&k=1"), "{}", sent);
            let seen = url::Url::parse(&uri.to_string()).unwrap();
            prop_assert_eq!((seen.host_str(), seen.port(), seen.path()), (Some("10.0.0.1"), Some(7001), uri.path()));
        }
    }
}
