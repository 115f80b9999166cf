//! Accounts at outside providers: linked, used to log in, exchanged.
//!
//! A *journey* leads a browser to a provider and back. What keeps it from being led by the wrong hand:
//!
//! * The journey is a row under the hash of its `state`. It ends once: whoever deletes the row goes on. PKCE's verifier
//!   and the nonce lie sealed in it; the provider it began with must be the one it ends with.
//! * Who ends a journey must be who began it. A page that begins one gets a random *proof*, which nobody else sees. The
//!   callback sends the browser back to that page with a *link code* in the fragment; only both together end the journey,
//!   at `POST …/complete`. A stranger's link code in my browser lacks its proof (no log-in as the stranger), and my browser
//!   brings my link code to no page of the stranger's (no link of my account to the stranger), because pages must be listed.
//! * No token is ever part of an address. A link code is the provider's answer, sealed under the tenant's key: worthless
//!   without the proof and the row.
//! * A browser that begins without a page keeps the proof as a cookie, and the callback itself answers. The cookie opens
//!   nothing; without it the callback refuses.
//! * Linking needs the session of the same user at both ends, so that a session that was ended meanwhile links nothing.
//! * A user is known by provider and subject alone. An address never leads into an existing account, unless
//!   `by_verified_email` is set and both sides have proved it. An unproved address is not even looked up: the answer
//!   would tell strangers who is registered.

mod arrival;
mod config;
mod exchange;
mod journey;
mod kept;
mod linking;
mod newcomer;
mod owned;
mod pages;
mod providers;
mod username;

pub use config::LinksConfig;
pub(crate) use journey::{Ended, Journeys, LIFETIME, Returned, Start};
pub(crate) use linking::NewLink;
pub(crate) use owned::Overview;
pub(crate) use providers::Providers;

use kernel::{Error, Reason};

use crate::IdentityConfig;

/// What is wrong with the settings of this part: a key and the mistake.
pub(crate) fn mistakes(settings: &IdentityConfig) -> Vec<(String, String)> {
    let wrong = |(name, provider): (&String, &provider::ProviderConfig)| {
        let (key, mistake) = provider.check(name).err()?;
        let key = format!("providers.{name}.{key}");
        Some((key.trim_end_matches('.').to_owned(), mistake))
    };
    let pages = pages::check(&settings.links.return_urls).err();
    let pages = pages.map(|mistake| ("links.return_urls".to_owned(), mistake));
    settings.providers.iter().filter_map(wrong).chain(pages).collect()
}

/// 400 `link_refused`: the one answer to every journey that cannot be gone on with.
fn refused() -> Error {
    let message = "The attempt has expired, was used already, or began in another browser; begin again";
    Error::new(Reason::LinkRefused, message)
}

fn provider_unknown() -> Error {
    Error::plain(Reason::ProviderUnknown)
}

#[cfg(test)]
mod tests {
    use crate::IdentityConfig;

    fn read(text: &str) -> IdentityConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn providers_are_written_and_mistakes_name_their_key() {
        let good = read(
            "[links]\nregistration = 'closed'\nreturn_urls = ['https://app.example/in']\n\
             [providers.google]\nclient_id = 'id'\nclient_secret = 'secret'\nkeep_tokens = true",
        );
        assert!(good.check().is_ok());
        assert!(good.providers["google"].keep_tokens && !good.links.by_verified_email);
        let written = kernel::secret::exposed(|| toml::to_string(&good).unwrap());
        assert_eq!(read(&written), good);
        for (text, key) in [
            ("[providers.google]", "providers.google.client_id"),
            ("[providers.Acme]\nissuer = 'https://a.example'\nclient_id = 'x'", "providers.Acme"),
            ("[providers.acme]\nissuer = 'http://a.example'\nclient_id = 'x'", "providers.acme.issuer"),
            ("[links]\nreturn_urls = ['myapp://in']", "links.return_urls"),
        ] {
            assert_eq!(read(text).check().unwrap_err().0, key);
        }
        assert!(toml::from_str::<IdentityConfig>("[providers.google]\nid = 'x'").is_err());
    }
}
