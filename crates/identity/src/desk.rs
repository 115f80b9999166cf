//! PINs and cards: short secrets, good only at the addresses that the settings list.

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use kernel::{Error, Reason, Result, Secret, Tenant, seal::SealingKey};
use store::OpenTenant;
use uuid::Uuid;

use crate::{
    Actor, Identity, Network, UserChange, UserStatus,
    backoff::Target,
    entry::{Entered, Method, Visitor, refused},
    login::Attempt,
    tables::users::{self, Locked, Lookup, Stored},
    tokens::hex,
    users::lookup,
};

/// As long as a hash and equal to none.
const NO_HASH: &str = "----------------------------------------------------------------";

impl Identity {
    /// Logs a user in by name or address and PIN.
    ///
    /// Errors: 403 `address_not_allowed`, before anything else is looked at; 401 `credentials_invalid`, which is the
    /// same, after the same work, whatever was wrong; 401 `second_factor_required`; 429; 503.
    pub(crate) async fn log_in_by_pin(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        name: &str,
        pin: &Secret,
    ) -> Result<Entered> {
        let allowed = allow(&self.settings.of(tenant).await?.whitelisted_pin_ips, visitor.client);
        let target = Target::pin(tenant.id, &name.to_ascii_lowercase());
        let attempt = Attempt { tenant, visitor, method: Method::Pin, name: Some(name), target };
        self.attempt(&attempt, allowed, Box::pin(self.try_pin(tenant, visitor, name, pin))).await
    }

    async fn try_pin(&self, tenant: &Arc<Tenant>, visitor: &Visitor, name: &str, pin: &Secret) -> Result<Entered> {
        let open = self.tenants.open(tenant).await?;
        let stored = users::find(&open.system, &lookup(name)).await?;
        let id = stored.as_ref().map_or(Uuid::nil(), |stored| stored.user.id);
        let known = stored.as_ref().and_then(|stored| stored.pin.as_deref()).unwrap_or(NO_HASH);
        let right = same(&pin_hash(&open.key, id, pin), known);
        match stored {
            Some(Stored { user, pin: Some(known), .. }) if right && user.status == UserStatus::Active => {
                let still = move |locked: &Locked| locked.pin.as_ref() == Some(&known);
                self.enter(tenant, &open, visitor, user, Method::Pin, still).await
            }
            _ => Err(refused()),
        }
    }

    /// Logs in whose card or badge has this text.
    ///
    /// Errors: as [`Self::log_in_by_pin`].
    pub(crate) async fn log_in_by_card(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        text: &Secret,
    ) -> Result<Entered> {
        let allowed = allow(&self.settings.of(tenant).await?.whitelisted_string_ips, visitor.client);
        let target = Target::card(tenant.id, visitor.client);
        let attempt = Attempt { tenant, visitor, method: Method::Card, name: None, target };
        self.attempt(&attempt, allowed, Box::pin(self.try_card(tenant, visitor, text))).await
    }

    async fn try_card(&self, tenant: &Arc<Tenant>, visitor: &Visitor, text: &Secret) -> Result<Entered> {
        let open = self.tenants.open(tenant).await?;
        let hash = card_hash(&open.key, text);
        let stored = users::find(&open.system, &Lookup::Card(hash.clone())).await?;
        let known = stored.as_ref().and_then(|stored| stored.login_string.as_deref()).unwrap_or(NO_HASH);
        let right = same(&hash, known);
        match stored {
            Some(Stored { user, .. }) if right && user.status == UserStatus::Active => {
                let still = move |locked: &Locked| locked.login_string.as_ref() == Some(&hash);
                self.enter(tenant, &open, visitor, user, Method::Card, still).await
            }
            _ => Err(refused()),
        }
    }

    /// Gives a user a PIN, or takes it away, for the operator. No session ends. Errors: 400 `field_invalid`; 404.
    pub async fn set_pin(&self, open: &OpenTenant, user: Uuid, pin: Option<&Secret>) -> Result<()> {
        let change = UserChange { pin: pin.cloned().into(), ..UserChange::default() };
        self.change_user(open, &Actor::operator(), user, change).await
    }

    /// Tells the text of a user's card or badge, or that there is none, for the operator. No session ends.
    ///
    /// Errors: 400 `field_invalid`; 409 `name_taken` where it is another user's; 404.
    pub async fn set_login_string(&self, open: &OpenTenant, user: Uuid, text: Option<&Secret>) -> Result<()> {
        let change = UserChange { login_string: text.cloned().into(), ..UserChange::default() };
        self.change_user(open, &Actor::operator(), user, change).await
    }
}

/// Errors: 400 `field_invalid` unless it has 4 to 12 digits.
pub(crate) fn check_pin(pin: &Secret) -> Result<()> {
    let pin = pin.expose().as_bytes();
    if (4..=12).contains(&pin.len()) && pin.iter().all(u8::is_ascii_digit) {
        return Ok(());
    }
    Err(Error::new(Reason::FieldInvalid, "A PIN has 4 to 12 digits").at("pin"))
}

/// Errors: 400 `field_invalid` unless it has 8 to 128 characters that can be seen.
pub(crate) fn check_card(text: &Secret) -> Result<()> {
    let text = text.expose();
    if (8..=128).contains(&text.chars().count()) && text.chars().all(|c| !c.is_control() && !c.is_whitespace()) {
        return Ok(());
    }
    let message = "The text of a card has 8 to 128 characters and no spaces";
    Err(Error::new(Reason::FieldInvalid, message).at("login_string"))
}

/// Nobody is let in from elsewhere, not even from the machine itself.
fn allow(networks: &[Network], client: IpAddr) -> Result<()> {
    if networks.iter().any(|network| network.contains(client)) {
        return Ok(());
    }
    Err(Error::plain(Reason::AddressNotAllowed))
}

/// The keyed hash of a user's PIN.
pub(crate) fn pin_hash(key: &SealingKey, user: Uuid, pin: &Secret) -> String {
    hex(&key.mac("pin", &[user.as_bytes(), pin.expose().as_bytes()]))
}

/// The keyed hash of a card's text.
pub(crate) fn card_hash(key: &SealingKey, text: &Secret) -> String {
    hex(&key.mac("card", &[text.expose().as_bytes()]))
}

/// In a time that tells nothing.
fn same(hash: &str, known: &str) -> bool {
    verify_slices_are_equal(hash.as_bytes(), known.as_bytes()).is_ok()
}
