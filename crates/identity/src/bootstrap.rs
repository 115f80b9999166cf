//! The first tenant of a new installation, made over HTTP.

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use kernel::{Error, Reason, Result, Secret, Tenant};
use store::NewTenant;

use crate::{Identity, NewUser};

/// The group of an installation's first user.
pub(crate) const ADMINISTRATORS: &str = "administrators";
/// Host names by which a new installation may be initialised, matched as text, never resolved.
const HOSTS: [&str; 2] = ["api.localhost", "api.localhost.daplie.me"];

/// A request to initialise the installation.
pub(crate) struct Initialisation {
    pub(crate) domain: String,
    pub(crate) name: Option<String>,
    pub(crate) administrator: Option<NewUser>,
}

/// Who sent it, and how.
pub(crate) struct Sender {
    pub(crate) host: String,
    pub(crate) client: IpAddr,
    pub(crate) secure: bool,
    /// The setup token that was sent along.
    pub(crate) token: Option<Secret>,
}

impl Identity {
    /// Refuses whoever may not initialise the installation.
    ///
    /// Errors: 421 `host_unknown`; 400 `bad_request` without HTTPS; 403 `address_not_allowed`.
    pub(crate) fn check_sender(&self, sender: &Sender) -> Result<()> {
        let host = &*sender.host;
        if !is_loopback_name(host) && !HOSTS.contains(&host) && !self.bootstrap.hosts.iter().any(|known| known == host)
        {
            return Err(Error::new(Reason::HostUnknown, "An installation cannot be initialised by this host name"));
        }
        if !sender.secure {
            let message = "This must come over HTTPS: a proxy says so with X-Forwarded-Proto: https";
            return Err(Error::new(Reason::BadRequest, message));
        }
        let expected = self.bootstrap.setup_token.as_ref().map(|token| token.expose().as_bytes());
        let right = expected.is_some_and(|expected| {
            let sent = sender.token.as_ref().map_or("", Secret::expose).as_bytes();
            !expected.is_empty() && verify_slices_are_equal(expected, sent).is_ok()
        });
        if sender.client.is_loopback() || right {
            return Ok(());
        }
        let message = "An installation is initialised from the machine it runs on, or with its setup token";
        Err(Error::new(Reason::AddressNotAllowed, message))
    }

    /// Makes the first tenant, with its administrator where one is given, whole or not at all.
    ///
    /// Errors: 409 `already_initialised`; 400 `field_invalid`; otherwise as [`Identity::create_user`].
    pub(crate) async fn initialise(self: &Arc<Self>, new: Initialisation) -> Result<Arc<Tenant>> {
        let tenant = NewTenant {
            name: new.name.unwrap_or_else(|| name_of(&new.domain)),
            domain: Some(new.domain),
            first: true,
            ..NewTenant::default()
        };
        let (identity, administrator) = (Arc::clone(self), new.administrator);
        let created = self.tenants.create(tenant, move |_, open| {
            Box::pin(async move {
                if let Some(user) = administrator {
                    let user = NewUser { group: Some(ADMINISTRATORS.to_owned()), ..user };
                    identity.create_user(open, user).await?;
                }
                Ok(())
            })
        });
        let tenant = created.await?;
        tracing::info!(target: "audit", action = "init", outcome = "ok", tenant = tenant.name, domain = tenant.domain);
        if let Some(file) = &self.bootstrap.setup_token_file
            && let Err(error) = tokio::fs::remove_file(file).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the file with the setup token was not removed; it is of no use any more");
        }
        Ok(tenant)
    }
}

/// `localhost`, a name below it, or an address of the machine itself.
fn is_loopback_name(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// A tenant's name from its domain: `example.com` becomes `example-com`.
fn name_of(domain: &str) -> String {
    let mut name = String::new();
    for c in domain.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_matches('-');
    let name = if name.starts_with(|c: char| c.is_ascii_lowercase()) { name.to_owned() } else { format!("t-{name}") };
    name[..name.len().min(40)].trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{is_loopback_name, name_of};
    use kernel::identifier::is_tenant_name;
    use proptest::prelude::*;

    #[test]
    fn names_from_domains() {
        assert_eq!(name_of("Example.com"), "example-com");
        assert_eq!(name_of("xn--bcher-kva.example"), "xn-bcher-kva-example");
        assert_eq!(name_of("2fast.io"), "t-2fast-io");
    }

    #[test]
    fn names_of_this_machine() {
        for good in ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"] {
            assert!(is_loopback_name(good), "{good}");
        }
        for bad in ["", "localhost.example.com", "notlocalhost", "10.0.0.1", "example.com"] {
            assert!(!is_loopback_name(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_domain_gives_a_name(domain in "[a-zA-Z0-9.-]{1,250}") {
            prop_assert!(is_tenant_name(&name_of(&domain)), "{}", name_of(&domain));
        }
    }
}
