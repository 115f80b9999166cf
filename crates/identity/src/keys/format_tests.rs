use kernel::KeyKind;
use proptest::prelude::*;
use uuid::Uuid;

use super::{KINDS, Parsed, last_four, new_id, new_text, parse, shown};

fn kinds() -> impl Strategy<Value = KeyKind> {
    (0..KINDS.len()).prop_map(|index| KINDS[index])
}

/// A new key with its id.
fn key(kind: KeyKind, tenant: Uuid) -> (String, String) {
    let id = new_id(tenant);
    (new_text(kind, &id).expose().to_owned(), id)
}

#[test]
fn what_a_key_looks_like() {
    let tenant = Uuid::from_u128(u128::MAX);
    let (text, id) = key(KeyKind::Server, tenant);
    assert_eq!((text.len(), &text[..29], &text[40..41]), (91, "ins_sk_LygHa16AHYFLygHa16AHYF", "_"));
    assert_eq!(shown(KeyKind::Server, &id), "ins_sk_LygHa16A");
    assert!(text.ends_with(&last_four(&text)) && last_four(&text).len() == 4);
}

#[test]
fn no_two_are_alike() {
    let texts: std::collections::HashSet<_> = (0..1_000).map(|_| key(KeyKind::Personal, Uuid::nil()).0).collect();
    assert_eq!(texts.len(), 1_000);
}

proptest! {
    #[test]
    fn what_is_made_reads_back(kind in kinds(), tenant: u128) {
        let tenant = Uuid::from_u128(tenant);
        let (text, id) = key(kind, tenant);
        prop_assert_eq!(parse(&text), Some(Parsed { kind, id: &id, tenant }));
    }

    /// Also those that make another sound form of it: another kind, another id.
    #[test]
    fn every_changed_character_is_noticed(kind in kinds(), tenant: u128, place in 0_usize..92, other in "[ -~]|\\PC") {
        let (text, _) = key(kind, Uuid::from_u128(tenant));
        let place = place % text.len();
        prop_assume!(text[place..=place] != other);
        let mut changed = text.clone();
        changed.replace_range(place..=place, &other);
        prop_assert_eq!(parse(&changed), None, "{} became {}", text, changed);
    }

    #[test]
    fn swapped_lost_and_doubled_characters_are_noticed(kind in kinds(), place in 0_usize..91) {
        let (text, _) = key(kind, Uuid::now_v7());
        let place = place % (text.len() - 1);
        let (one, two) = (&text[place..=place], &text[place + 1..=place + 1]);
        let with = |middle: &str| format!("{}{middle}{}", &text[..place], &text[place + 2..]);
        let mut wrong = vec![with(one), with(&format!("{one}{one}{two}"))];
        if one != two {
            wrong.push(with(&format!("{two}{one}")));
        }
        for changed in wrong {
            prop_assert_eq!(parse(&changed), None, "{} became {}", text, changed);
        }
    }

    #[test]
    fn a_key_of_another_kind_is_noticed(kind in kinds(), other in kinds()) {
        prop_assume!(kind != other);
        let (text, _) = key(kind, Uuid::now_v7());
        let changed = text.replacen(&format!("_{}_", kind.word()), &format!("_{}_", other.word()), 1);
        prop_assert_eq!(parse(&changed), None);
    }

    #[test]
    fn no_text_panics(text in ".*", rest in "[0-9A-Za-z_]{0,200}") {
        let _ = parse(&text);
        let _ = parse(&format!("ins_sk_{rest}"));
        let _ = parse(&format!("ins_pat_{text}"));
    }
}

#[test]
fn an_oversized_text_is_refused() {
    assert_eq!(parse(&format!("ins_sk_{}", "a".repeat(1 << 20))), None);
}
