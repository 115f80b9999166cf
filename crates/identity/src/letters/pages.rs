//! The pages that links in letters lead to.

use serde::{Deserialize, Serialize};
use url::Url;

/// The pages that links in letters lead to. `{token}` stands for the token, which the page sends on to the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PagesConfig {
    /// Where one sets another password; `https://<domain>/reset-password?token={token}` where absent.
    pub reset_url: Option<String>,
    /// Where one confirms an address; `https://<domain>/confirm-email?token={token}` where absent.
    pub verify_url: Option<String>,
    /// Where one who was invited sets a password; `https://<domain>/accept-invitation?token={token}` where absent.
    pub invitation_url: Option<String>,
}

impl PagesConfig {
    /// What the types alone cannot refuse: a key with what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let pages = [
            ("pages.reset_url", &self.reset_url),
            ("pages.verify_url", &self.verify_url),
            ("pages.invitation_url", &self.invitation_url),
        ];
        for (key, page) in pages {
            let Some(page) = page else { continue };
            let parsed = Url::parse(page);
            if !page.contains("{token}") || !parsed.is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
                return Err((key, "write a URL with {token} in it, such as https://example.com/confirm?token={token}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::PagesConfig;

    #[test]
    fn a_page_is_a_url_with_a_place_for_the_token() {
        let check = |page: &str| PagesConfig { verify_url: Some(page.to_owned()), ..PagesConfig::default() }.check();
        for good in ["https://shop.example/confirm?token={token}", "http://localhost:3000/#/confirm/{token}"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "{token}", "https://shop.example/confirm", "javascript:alert('{token}')", "/confirm/{token}"] {
            assert_eq!(check(bad).unwrap_err().0, "pages.verify_url", "{bad}");
        }
    }
}
