use std::num::NonZeroU32;

use kernel::{Group, KeyKind, Reason, Result, time};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    check_name, checked_addresses, checked_origins, checked_rate_class, checked_scopes, is_within, network, origin,
};
use crate::{
    IdentityConfig,
    keys::{Key, RateClass},
};

fn group(power: u8, abilities: &[&str]) -> Group {
    Group {
        id: 1,
        name: "g".into(),
        power,
        basic_rules: Vec::new(),
        advanced_rules: Vec::new(),
        abilities: abilities.iter().map(|name| (*name).to_owned()).collect(),
        max_limit: None,
        max_where_conditions: None,
        allow_batch_operations: false,
        session_timeout_minutes: None,
        max_concurrent_sessions: None,
        user_settings_access: String::new(),
        toolkits: std::sync::Arc::default(),
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn key(kind: KeyKind, scopes: &[&str]) -> Key {
    Key {
        id: String::new(),
        kind,
        name: "k".into(),
        prefix: String::new(),
        last_four: String::new(),
        owner: Uuid::nil(),
        owner_number: 1,
        owner_name: String::new(),
        group: None,
        scopes: texts(scopes),
        addresses: Vec::new(),
        origins: Vec::new(),
        rate_class: None,
        created_at: time::now(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        rotated_from: None,
        rotated_at: None,
        imported_from: None,
    }
}

fn why<T>(outcome: Result<T>) -> Option<(Reason, String)> {
    outcome.err().map(|error| (error.reason, error.field.unwrap_or_default()))
}

#[test]
fn names() {
    for good in ["a", "Ümlaut 1", &"x".repeat(100)] {
        assert!(check_name(good).is_ok(), "{good}");
    }
    for bad in ["", " ", "a ", "a\nb", "a\0", &"x".repeat(101)] {
        assert!(check_name(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn scopes_are_what_the_maker_the_group_and_the_key_have() {
    let strong = group(100, &[]);
    let weak = group(10, &["explain"]);
    let check = |scopes: &[&str], kind, maker, acting, by: Option<&Key>| {
        why(checked_scopes(&texts(scopes), kind, maker, acting, by))
    };
    let (sk, pk) = (KeyKind::Server, KeyKind::Publishable);
    assert_eq!(check(&["users.manage", "explain"], sk, &strong, &strong, None), None);
    assert_eq!(check(&["explain"], sk, &weak, &weak, None), None);
    let missing = Some((Reason::AbilityMissing, "scopes[1]".to_owned()));
    assert_eq!(check(&["explain", "reload"], sk, &weak, &weak, None), missing);
    assert_eq!(check(&["explain", "reload"], sk, &strong, &weak, None), missing);
    // A group of little power may have an ability that the maker lacks.
    let maker = group(10, &[]);
    let first = |reason| Some((reason, "scopes[0]".to_owned()));
    assert_eq!(check(&["explain"], sk, &maker, &weak, None), first(Reason::AbilityMissing));
    let by = key(sk, &["data.read"]);
    assert_eq!(check(&["data.read"], sk, &strong, &strong, Some(&by)), None);
    assert_eq!(check(&["data.insert"], sk, &strong, &strong, Some(&by)), first(Reason::ScopeMissing));
    assert_eq!(check(&["account.read"], pk, &strong, &strong, None), first(Reason::FieldInvalid));
    assert_eq!(check(&["everything"], sk, &strong, &strong, None), first(Reason::FieldInvalid));
    assert_eq!(
        check(&["data.read", "data.read"], sk, &strong, &strong, None),
        Some((Reason::FieldInvalid, "scopes[1]".into()))
    );
    assert_eq!(check(&[], sk, &strong, &strong, None), Some((Reason::FieldInvalid, "scopes".into())));
}

#[test]
fn addresses_are_networks_no_wider_than_the_makers_key() {
    let shown = |outcome: Result<Vec<ipnet::IpNet>>| outcome.map(|all| all.iter().map(ToString::to_string).collect());
    let list: Vec<String> = shown(checked_addresses(
        Some(&texts(&["192.0.2.7", "10.1.2.3/8", "::ffff:192.0.2.9", "2001:db8::1/32"])),
        None,
    ))
    .unwrap();
    assert_eq!(list, ["192.0.2.7/32", "10.0.0.0/8", "192.0.2.9/32", "2001:db8::/32"]);
    assert_eq!(
        why(checked_addresses(Some(&texts(&["10.0.0.0/33"])), None)),
        Some((Reason::FieldInvalid, "addresses[0]".into()))
    );
    assert!(checked_addresses(Some(&vec!["192.0.2.7".to_owned(); 65]), None).is_err());
    let mut by = key(KeyKind::Personal, &[]);
    by.addresses = vec!["10.0.0.0/8".parse().unwrap()];
    assert_eq!(checked_addresses(None, Some(&by)).unwrap(), by.addresses);
    assert!(checked_addresses(Some(&texts(&["10.2.0.0/16"])), Some(&by)).is_ok());
    for wider in [&["0.0.0.0/0"][..], &["10.0.0.1", "11.0.0.1"], &[]] {
        assert!(checked_addresses(Some(&texts(wider)), Some(&by)).is_err(), "{wider:?}");
    }
}

#[test]
fn origins_are_spelled_as_browsers_spell_them() {
    for (text, spelled) in [
        ("https://Example.com", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]", "http://[::1]"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://[::1]:81", "http://[::1]:81"),
    ] {
        assert_eq!(origin(text).as_deref(), Some(spelled), "{text}");
    }
    let bad = [
        "",
        "*",
        "null",
        "example.com",
        "https://",
        "https://a/",
        "https://a:b",
        "https://a:0",
        "ftp://a",
        "https://a b",
    ];
    for bad in bad {
        assert_eq!(origin(bad), None, "{bad}");
    }
    let some = texts(&["https://example.com"]);
    assert!(checked_origins(Some(&some), KeyKind::Server, None).is_err());
    let mut by = key(KeyKind::Personal, &[]);
    by.origins.clone_from(&some);
    assert_eq!(checked_origins(None, KeyKind::Personal, Some(&by)).unwrap(), some);
    assert_eq!(checked_origins(None, KeyKind::Server, Some(&by)).unwrap(), texts(&[]));
    assert!(checked_origins(Some(&texts(&["https://other.com"])), KeyKind::Publishable, Some(&by)).is_err());
    assert!(checked_origins(Some(&[]), KeyKind::Publishable, Some(&by)).is_err());
}

#[test]
fn a_limited_key_makes_limited_keys() {
    let mut settings = IdentityConfig::default();
    let class = RateClass { per_second: NonZeroU32::MIN, per_minute: NonZeroU32::MIN };
    settings.key_rate_classes = [("slow".to_owned(), class), ("fast".to_owned(), class)].into();
    let check = |class, by: Option<&Key>| checked_rate_class(class, &settings, by).ok();
    assert_eq!(check(Some("slow"), None), Some(Some("slow".into())));
    assert_eq!(check(Some("none"), None), None);
    assert_eq!(check(None, None), Some(None));
    let mut by = key(KeyKind::Personal, &[]);
    assert_eq!(check(Some("fast"), Some(&by)), Some(Some("fast".into())));
    by.rate_class = Some("slow".into());
    assert_eq!(check(None, Some(&by)), Some(Some("slow".into())));
    assert_eq!(check(Some("slow"), Some(&by)), Some(Some("slow".into())));
    assert_eq!(check(Some("fast"), Some(&by)), None);
}

#[test]
fn a_key_is_within_itself_and_not_within_less() {
    let mut outer = key(KeyKind::Personal, &["data.read", "keys.manage"]);
    outer.addresses = vec!["10.0.0.0/8".parse().unwrap()];
    outer.origins = texts(&["https://a.com"]);
    outer.expires_at = Some(time::now());
    outer.rate_class = Some("slow".into());
    let within = |inner: &Key| is_within(inner, 10, &outer, 10);
    assert!(within(&outer.clone()));
    assert!(!is_within(&outer, 11, &outer, 10));
    let wider: [fn(&mut Key); 8] = [
        |key| key.scopes.push("explain".into()),
        |key| key.addresses.clear(),
        |key| key.addresses.push("0.0.0.0/0".parse().unwrap()),
        |key| key.origins.clear(),
        |key| key.origins.push("https://b.com".into()),
        |key| key.expires_at = None,
        |key| key.expires_at = key.expires_at.map(|end| end + std::time::Duration::from_secs(1)),
        |key| key.rate_class = None,
    ];
    for (index, widen) in wider.into_iter().enumerate() {
        let mut inner = outer.clone();
        widen(&mut inner);
        assert!(!within(&inner), "{index}");
    }
    outer.kind = KeyKind::Server;
    assert!(!is_within(&Key { kind: KeyKind::Personal, ..outer.clone() }, 10, &outer, 10));
    outer.kind = KeyKind::Publishable;
    assert!(!is_within(&outer, 10, &outer, 10));
}

proptest! {
    #[test]
    fn no_text_panics(text in ".*") {
        let _ = (origin(&text), network(&text), check_name(&text));
        let _ = origin(&format!("https://{text}"));
    }
}
