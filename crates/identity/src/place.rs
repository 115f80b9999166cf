//! Where in a file of settings a mistake is. Lines of the file are not repeated: they may hold secrets.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What the types or the grammar say of a file, with the line and the key that is written there.
pub(crate) fn of_mistake(file: &str, text: &str, error: &toml::de::Error) -> String {
    let offset = error.span().map_or(0, |span| span.start.min(text.len()));
    let begins = text[..offset].rfind('\n').map_or(0, |end| end + 1);
    let written = text[begins..].lines().next().unwrap_or_default();
    let key = written.split_once('=').map(|(key, _)| format!("{}: ", key.trim())).unwrap_or_default();
    let said = error.message().trim();
    // Before that stands the value.
    let wanted = said.strip_prefix("invalid type: ").or_else(|| said.strip_prefix("invalid value: "));
    let wanted =
        wanted.and_then(|said| said.rsplit_once(", expected ")).map(|(_, wanted)| format!("expected {wanted}"));
    let said = wanted.unwrap_or_else(|| said.replace('\n', ", "));
    format!("{file} line {}: {key}{said}", line(text, offset))
}

/// A problem of a key, with its line where it is written there.
pub(crate) fn of_key(file: &str, text: &str, key: &str, problem: &str) -> String {
    let place = offset(text, key).map(|offset| format!(" line {}", line(text, offset))).unwrap_or_default();
    format!("{file}{place}: {key}: {problem}")
}

fn line(text: &str, offset: usize) -> usize {
    1 + text[..offset.min(text.len())].matches('\n').count()
}

/// Where a key is written, or the section around it.
fn offset(text: &str, key: &str) -> Option<usize> {
    let mut table = DeTable::parse(text).ok()?.into_inner();
    let mut found = None;
    for part in key.split('.') {
        let Some((name, value)) = table.into_iter().find(|(name, _)| name.get_ref() == part) else { break };
        found = Some(name.span().start);
        match Spanned::into_inner(value) {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{of_key, of_mistake};
    use crate::IdentityConfig;

    fn said(text: &str) -> String {
        of_mistake("identity.toml", text, &toml::from_str::<IdentityConfig>(text).unwrap_err())
    }

    #[test]
    fn mistakes_are_told_with_line_and_key_and_without_values() {
        let wrong = said("# ours\nregistration = \"maybe\"\n");
        assert!(wrong.starts_with("identity.toml line 2: registration: unknown variant `maybe`"), "{wrong}");
        assert_eq!(said("\n[mail]\nsmtp_url = 771881\n"), "identity.toml line 3: smtp_url: expected a string");
        assert!(said("[mail\n").starts_with("identity.toml line 1: "));
        assert!(said("x = 1").contains("line 1: x: unknown field `x`"));
    }

    #[test]
    fn keys_are_found() {
        let text = "bcrypt_cost = 4\n\n[mail]\nfrom = \"x\"\n[providers.a]\nkind = \"oidc\"\n";
        for (key, place) in [
            ("bcrypt_cost", "identity.toml line 1: bcrypt_cost: wrong"),
            ("mail.from", "identity.toml line 4: mail.from: wrong"),
            ("providers.a.issuer", "identity.toml line 5: providers.a.issuer: wrong"),
            ("pages.reset_url", "identity.toml: pages.reset_url: wrong"),
        ] {
            assert_eq!(of_key("identity.toml", text, key, "wrong"), place);
        }
    }
}
