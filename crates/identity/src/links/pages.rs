//! Pages that a browser may be sent back to. Anywhere else would get what is meant for the tenant's own pages.

use kernel::{Error, Reason, Result, Tenant};
use url::Url;

use crate::IdentityConfig;

/// Characters that a page's address may have.
const MOST: usize = 500;

/// What is wrong with a list of pages.
pub(super) fn check(pages: &[Url]) -> Result<(), String> {
    match pages.iter().find(|page| !is_page(page) || page.query().is_some()) {
        Some(odd) => Err(format!("{odd} is no page: write https://, a host and a path, and nothing more")),
        None => Ok(()),
    }
}

/// The page of an address. Errors: 400 `field_invalid` where browsers may not be sent there.
pub(super) fn page(text: &str, settings: &IdentityConfig, tenant: &Tenant) -> Result<Url> {
    let invalid = |message: &str| Error::new(Reason::FieldInvalid, message).at("redirect_to");
    // Browsers read what is not in that form in their own ways.
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let page = Url::parse(text).ok().filter(|page| plain && is_page(page) && page.as_str().len() <= MOST);
    let page = page.ok_or_else(|| invalid("This is not the address of a page"))?;
    let allowed = if settings.links.return_urls.is_empty() {
        let own = tenant.domain.iter().map(|domain| format!("https://{domain}"));
        let callers = tenant.cors_origins.iter().filter(|origin| *origin != "*").cloned();
        own.chain(callers).filter_map(|base| Url::parse(&base).ok()).any(|base| is_within(&page, &base))
    } else {
        settings.links.return_urls.iter().any(|base| is_within(&page, base))
    };
    if allowed { Ok(page) } else { Err(invalid("Browsers may not be sent to this page")) }
}

fn is_page(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "http")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
}

/// Whether a page has the origin of another, and its path or one below it.
fn is_within(page: &Url, base: &Url) -> bool {
    let folder = base.path().trim_end_matches('/');
    let below = page.path().strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    page.origin() == base.origin() && below
}

#[cfg(test)]
mod tests {
    use super::{check, page};
    use crate::{IdentityConfig, LinksConfig};
    use kernel::{Tenant, TenantStatus};
    use proptest::prelude::*;
    use url::Url;
    use uuid::Uuid;

    fn tenant() -> Tenant {
        Tenant {
            id: Uuid::nil(),
            name: "one".to_owned(),
            domain: Some("one.example".to_owned()),
            status: TenantStatus::Active,
            cors_origins: vec!["*".to_owned(), "http://localhost:3000".to_owned()],
            folder: "/nowhere".into(),
        }
    }

    fn listing(pages: &[&str]) -> IdentityConfig {
        let return_urls = pages.iter().map(|page| Url::parse(page).unwrap()).collect();
        let links = LinksConfig { return_urls, ..LinksConfig::default() };
        IdentityConfig { links, ..IdentityConfig::default() }
    }

    fn allows(settings: &IdentityConfig, text: &str) -> bool {
        page(text, settings, &tenant()).is_ok()
    }

    #[test]
    fn the_tenants_own_pages_are_allowed_where_none_are_listed() {
        let settings = listing(&[]);
        for good in
            ["https://one.example", "https://one.example/a/b?c=d", "http://localhost:3000/#".trim_end_matches('#')]
        {
            assert!(allows(&settings, good), "{good}");
        }
        for bad in [
            "",
            "/welcome",
            "//evil.example",
            "one.example",
            "http://one.example/",
            "https://one.example:8443/",
            "https://one.example.evil.example/",
            "https://www.one.example/",
            "https://evil.example/https://one.example/",
            "https://one.example@evil.example/",
            "https://evil@one.example/",
            "https://one.example\\@evil.example/",
            "https://evil.example#@one.example/",
            "https://one.example/#token",
            "javascript:alert(1)//one.example/",
            "data:text/html,one.example",
            "http://localhost:3001/",
            "https://localhost:3000/",
        ] {
            assert!(!allows(&settings, bad), "{bad}");
        }
        assert!(!allows(&settings, &format!("https://one.example/{}", "a".repeat(500))));
    }

    #[test]
    fn a_listed_page_stands_for_those_below_it_and_nothing_else() {
        let settings = listing(&["https://app.example/in", "https://other.example/"]);
        for good in [
            "https://app.example/in",
            "https://app.example/in/",
            "https://app.example/in/x?y",
            "https://other.example/x",
        ] {
            assert!(allows(&settings, good), "{good}");
        }
        for bad in [
            "https://one.example/",
            "https://app.example/",
            "https://app.example/inside",
            "https://app.example/in/../out",
            "https://app.example/in/%2e%2e/out",
            "https://app.example/IN",
            "http://app.example/in",
        ] {
            assert!(!allows(&settings, bad), "{bad}");
        }
    }

    #[test]
    fn what_is_no_page_cannot_be_listed() {
        let listed = |page: &str| check(&[Url::parse(page).unwrap()]);
        assert!(listed("https://app.example/in").is_ok());
        for bad in
            ["ftp://a.example", "myapp://in", "https://a@b.example", "https://a.example/?b", "https://a.example/#"]
        {
            assert!(listed(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_leads_elsewhere(text in "(https://)?(one\\.example|evil\\.example|[@:/\\\\#?.]){0,6}.*") {
            if let Ok(page) = page(&text, &listing(&[]), &tenant()) {
                prop_assert!(page.as_str().starts_with("https://one.example/") || page.as_str().starts_with("http://localhost:3000/"));
            }
        }
    }
}
