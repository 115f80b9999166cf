use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Fields, Profile, primary_address};

fn read(document: &Json) -> Option<Profile> {
    Fields::standard().read(document).ok()
}

#[test]
fn a_subject_is_text_or_a_whole_number() {
    let subject = |sub: Json| read(&json!({ "sub": sub })).map(|profile| profile.subject);
    assert_eq!(subject(json!("ada")).as_deref(), Some("ada"));
    assert_eq!(subject(json!(583_231)).as_deref(), Some("583231"));
    assert_eq!(subject(json!(u64::MAX)).as_deref(), Some("18446744073709551615"));
    for bad in [json!(null), json!(""), json!(1.5), json!(true), json!({}), json!("x".repeat(256)), json!("a\nb")] {
        assert_eq!(subject(bad.clone()), None, "{bad}");
    }
    assert!(read(&json!([])).is_none() && read(&json!({})).is_none());
}

#[test]
fn what_does_not_fit_is_left_out() {
    let odd = json!({
        "sub": "a", "email": "no address", "email_verified": true, "name": "x".repeat(256), "preferred_username": 7,
        "picture": "http://plain.test/a.png",
    });
    let none = Profile {
        subject: "a".to_owned(),
        email: None,
        email_verified: false,
        name: None,
        avatar: None,
        username: None,
    };
    assert_eq!(read(&odd), Some(none));
    for email in ["@b", "a@", "a b@c", "a@b\r\nBcc: c@d", &format!("{}@b", "a".repeat(254))] {
        assert_eq!(read(&json!({ "sub": "a", "email": email })).unwrap().email, None, "{email}");
    }
    for picture in ["javascript:alert(1)", "data:image/png;base64,", "picture.png"] {
        assert_eq!(read(&json!({ "sub": "a", "picture": picture })).unwrap().avatar, None, "{picture}");
    }
}

#[test]
fn an_address_is_verified_only_by_a_clear_yes() {
    for (said, verified) in [
        (json!(true), true),
        (json!("true"), true),
        (json!("yes"), false),
        (json!(1), false),
        (json!(null), false),
        (json!(false), false),
    ] {
        let profile = read(&json!({ "sub": "a", "email": "a@b", "email_verified": said })).unwrap();
        assert_eq!(profile.email_verified, verified, "{said}");
    }
}

#[test]
fn the_form_of_a_picture_cannot_be_led_elsewhere() {
    let fields = Fields { avatar_form: Some("https://cdn.test/{subject}/{avatar}.png"), ..Fields::standard() };
    let picture = |avatar: &str| fields.read(&json!({ "sub": "7", "picture": avatar })).unwrap().avatar;
    assert_eq!(picture("a_b9").unwrap().as_str(), "https://cdn.test/7/a_b9.png");
    for bad in ["../../x", "a/b", "a?b", "a.b", "@evil.test"] {
        assert_eq!(picture(bad), None, "{bad}");
    }
}

#[test]
fn the_primary_address_is_the_one() {
    let list = json!([{ "email": "a@b" }, { "email": "c@d", "primary": true, "verified": true }]);
    assert_eq!(primary_address(&list), Some(("c@d".to_owned(), true)));
    for bad in [json!({}), json!([]), json!([7]), json!([{ "primary": true }]), json!([{ "email": "a@b" }])] {
        assert_eq!(primary_address(&bad), None, "{bad}");
    }
}

/// Any small JSON.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,300}".prop_map(Json::from),
        "[a-z]{1,9}@[a-z]{1,9}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let names = prop_oneof!["sub", "email", "email_verified", "name", "picture", "preferred_username", "[a-z/~]*"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::vec((names, inner), 0..6).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_read_is_within_its_bounds(document in any_json(), field in "[a-z/~0-9]{0,12}") {
        for fields in [Fields::standard(), Fields { subject: field, ..Fields::standard() }] {
            let Ok(profile) = fields.read(&document) else { continue };
            prop_assert!((1..=255).contains(&profile.subject.len()));
            prop_assert!(!profile.subject.chars().any(char::is_control));
            for text in [&profile.name, &profile.username, &profile.email].into_iter().flatten() {
                prop_assert!((1..=255).contains(&text.len()) && !text.chars().any(char::is_control));
            }
            prop_assert!(profile.email.is_some() || !profile.email_verified);
            prop_assert!(profile.avatar.is_none_or(|url| url.scheme() == "https"));
        }
        let _ = primary_address(&document);
    }
}
