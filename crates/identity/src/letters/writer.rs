//! Writes a letter at the moment it is sent: whom it goes to, and with which token.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::rand;
use kernel::{Error, Result, Span, Tenant};
use mail::Template;
use serde::Serialize;
use store::OpenTenant;

use super::{Kind, shown};
use crate::{
    Identity, IdentityConfig, User, UserStatus, base62,
    tables::{
        letters::Queued,
        one_time_tokens::{self, Fresh, Purpose},
        users::{self, Lookup},
    },
    tokens,
};

/// The folder with a tenant's own words, in the tenant's own.
const TEMPLATES: &str = "mail";

/// What a template may use.
#[derive(Serialize)]
struct Words<'a> {
    site: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    username: &'a str,
    name: &'a str,
    address: &'a str,
    when: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inviter: Option<&'a str>,
    #[serde(flatten)]
    ticket: Option<Ticket>,
}

/// A token with what a letter says of it.
#[derive(Serialize)]
struct Ticket {
    token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    expires_in: String,
}

impl Identity {
    /// The letter as it is sent; none where there is nobody to write to, or nothing to say any more.
    pub(super) async fn write_letter(
        &self,
        tenant: &Arc<Tenant>,
        settings: &IdentityConfig,
        letter: &Queued,
    ) -> Result<Option<mail::Letter>> {
        let open = self.tenants.open(tenant).await?;
        if letter.kind == Kind::ChangeEmail && belongs_to_another(&open, letter).await? {
            let instead = Queued { kind: Kind::AlreadyRegistered, user: None, ..letter.clone() };
            return self.write_to(&open, settings, &instead).await;
        }
        self.write_to(&open, settings, letter).await
    }

    async fn write_to(
        &self,
        open: &OpenTenant,
        settings: &IdentityConfig,
        letter: &Queued,
    ) -> Result<Option<mail::Letter>> {
        let tenant = &open.tenant;
        let Some(template) = template(letter.kind) else { return Ok(None) };
        let lookup = match letter.user {
            Some(id) => Lookup::Id(id),
            None => Lookup::Email(letter.address.clone()),
        };
        let Some(stored) = users::find(&open.system, &lookup).await? else { return Ok(None) };
        let user = stored.user;
        if !is_called_for(letter, &user) {
            return Ok(None);
        }
        // Never as a stranger spelled it, where the account has it.
        let to = match user.email.as_deref().filter(|own| own.eq_ignore_ascii_case(&letter.address)) {
            Some(own) if letter.kind != Kind::ChangeEmail => own.to_owned(),
            _ => letter.facts.spelled.clone().unwrap_or_else(|| letter.address.clone()),
        };
        let ticket = match purpose(letter.kind) {
            Some(purpose) => match ticket(open, settings, letter, (&user, &to), purpose).await? {
                Some(ticket) => Some(ticket),
                None => return Ok(None),
            },
            None => None,
        };
        let facts = &letter.facts;
        let words = Words {
            site: &tenant.name,
            domain: tenant.domain.as_deref(),
            username: &user.username,
            name: &user.name,
            address: facts.new_address.as_deref().unwrap_or(&to),
            when: shown(letter.created_at),
            client: facts.client.as_deref(),
            change: facts.change.as_deref(),
            inviter: facts.inviter.as_deref(),
            ticket,
        };
        let to = mail::Address::new(&to)?;
        let folder = tenant.folder.join(TEMPLATES);
        Ok(Some(template.render(Some(&folder), &words).await?.to(to)))
    }
}

/// Whether somebody else has the address that an account shall have.
async fn belongs_to_another(open: &OpenTenant, letter: &Queued) -> Result<bool> {
    let owner = users::find(&open.system, &Lookup::Email(letter.address.clone())).await?;
    Ok(owner.is_some_and(|owner| Some(owner.user.id) != letter.user))
}

/// Whether a letter still has something to say to a user.
fn is_called_for(letter: &Queued, user: &User) -> bool {
    let own = user.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(&letter.address));
    let wanted = match letter.kind {
        Kind::VerifyEmail => own && user.email_verified_at.is_none(),
        Kind::ResetPassword | Kind::Invitation | Kind::AlreadyRegistered => own,
        Kind::ChangeEmail | Kind::PasswordChanged | Kind::EmailChanged | Kind::SecondFactorChanged => true,
        Kind::Unknown => false,
    };
    wanted && user.status == UserStatus::Active
}

fn template(kind: Kind) -> Option<Template> {
    Some(match kind {
        Kind::VerifyEmail => Template::VerifyEmail,
        Kind::ChangeEmail => Template::ChangeEmail,
        Kind::ResetPassword => Template::ResetPassword,
        Kind::Invitation => Template::Invitation,
        Kind::AlreadyRegistered => Template::AlreadyRegistered,
        Kind::PasswordChanged => Template::PasswordChanged,
        Kind::EmailChanged => Template::EmailChanged,
        Kind::SecondFactorChanged => Template::SecondFactorChanged,
        Kind::Unknown => return None,
    })
}

/// What the token in a letter is good for, where it has one.
fn purpose(kind: Kind) -> Option<Purpose> {
    match kind {
        Kind::VerifyEmail => Some(Purpose::Verify),
        Kind::ChangeEmail => Some(Purpose::Change),
        Kind::ResetPassword | Kind::Invitation => Some(Purpose::Reset),
        _ => None,
    }
}

/// Makes a token, which voids the one before; none where the user is gone.
async fn ticket(
    open: &OpenTenant,
    settings: &IdentityConfig,
    letter: &Queued,
    (user, to): (&User, &str),
    purpose: Purpose,
) -> Result<Option<Ticket>> {
    let (lifetime, page, usual) = match letter.kind {
        Kind::Invitation => (settings.invitation_lifetime, &settings.pages.invitation_url, "accept-invitation"),
        Kind::ResetPassword => (settings.reset_lifetime, &settings.pages.reset_url, "reset-password"),
        _ => (settings.verify_lifetime, &settings.pages.verify_url, "confirm-email"),
    };
    // 256 bits.
    let mut chance = [[0; 8]; 4];
    rand::fill(chance.as_flattened_mut()).map_err(|_| Error::internal("there is no source of chance"))?;
    let token = base62::encode(&chance);
    let fresh = Fresh {
        hash: tokens::hex(&tokens::hash(&token)),
        purpose,
        user: user.id,
        email: to.to_owned(),
        expires_at: kernel::time::now().checked_add(lifetime.0).map_err(Error::internal)?,
    };
    if !one_time_tokens::replace(&open.system, fresh).await? {
        return Ok(None);
    }
    let domain = open.tenant.domain.as_deref();
    let usual = || domain.map(|domain| format!("https://{domain}/{usual}?token={{token}}"));
    let link = page.clone().or_else(usual).map(|page| page.replace("{token}", &token));
    Ok(Some(Ticket { token, link, expires_in: in_words(lifetime) }))
}

/// A length of time as letters tell it: `2 hours`.
fn in_words(span: Span) -> String {
    const UNITS: [(&str, Duration); 3] =
        [("day", Duration::from_hours(24)), ("hour", Duration::from_hours(1)), ("minute", Duration::from_mins(1))];
    let seconds = span.0.as_secs();
    let fits = |unit: &Duration| seconds >= unit.as_secs() && seconds.is_multiple_of(unit.as_secs());
    let (name, count) = UNITS
        .iter()
        .find(|(_, unit)| fits(unit))
        .map_or(("second", seconds), |(name, unit)| (*name, seconds / unit.as_secs()));
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::in_words;
    use kernel::Span;

    #[test]
    fn spans_in_words() {
        let words = |text: &str| in_words(text.parse::<Span>().unwrap());
        assert_eq!(
            ["1h", "90m", "7d", "24h", "90s"].map(words),
            ["1 hour", "90 minutes", "7 days", "1 day", "90 seconds"]
        );
    }
}
