//! A provider, and what can be asked of it.

use kernel::{
    Reason, Secret,
    time::{Timestamp, now},
};
use oauth2::TokenResponse;
use url::Url;

use crate::{
    Profile, ProviderConfig, appwrite,
    discovery::Discovery,
    error::{Error, Result, refused},
    issuer::Issuer,
    oauth::{self, Tokens},
    outgoing::Outgoing,
    profile::{Fields, primary_address},
    settled::{Client, Endpoints, Settled, Way},
};

/// A provider of accounts.
pub struct Provider {
    name: String,
    trust_email: bool,
    http: Outgoing,
    way: Way,
}

/// The beginning of a log-in elsewhere. The caller keeps a hash of the state, and the nonce and the verifier sealed.
pub struct Begun {
    /// Where the browser is sent.
    pub url: Url,
    /// What the browser brings back, and proves that it is the same.
    pub state: Secret,
    /// What the id token must hold.
    pub nonce: Secret,
    /// What only the beginner of the log-in has (RFC 7636).
    pub verifier: Secret,
}

/// What a browser brought back to the redirect address, whose state was found good, with what was kept for it.
#[derive(Debug, Clone, Copy)]
pub struct Returned<'a> {
    /// The parameter `code`.
    pub code: &'a str,
    /// The parameter `iss` (RFC 9207), if it is there.
    pub iss: Option<&'a str>,
    /// The redirect address that the log-in began with.
    pub redirect_uri: &'a Url,
    /// Of [`Begun`].
    pub verifier: &'a Secret,
    /// Of [`Begun`].
    pub nonce: &'a Secret,
}

/// What a provider granted.
#[derive(Debug)]
pub struct Grant {
    /// Who the user is.
    pub profile: Profile,
    /// What opens the provider's API for the user.
    pub access_token: Secret,
    /// What renews the access token.
    pub refresh_token: Option<Secret>,
    /// The access token's end.
    pub expires_at: Option<Timestamp>,
}

impl Provider {
    /// A provider as the table of this name describes it. Nothing is fetched yet.
    ///
    /// Errors: 400 `field_invalid`, which names the key; 500 where this machine has no certificates to trust.
    pub fn new(name: &str, config: &ProviderConfig) -> kernel::Result<Self> {
        let Settled { way, trust_email } = Settled::of(name, config).map_err(|(key, problem)| {
            let path = format!("identity.providers.{name}.{key}");
            let path = path.trim_end_matches('.');
            kernel::Error::new(Reason::FieldInvalid, format!("{path}: {problem}")).at(path)
        })?;
        let http = Outgoing::new(config.timeout.0, config.allow_http).map_err(kernel::Error::internal)?;
        Ok(Self { name: name.to_owned(), trust_email, http, way })
    }

    /// The name of its table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether users can log in there: [`Self::begin`] and [`Self::finish`].
    pub const fn logs_in(&self) -> bool {
        matches!(self.way, Way::Oidc { .. } | Way::OAuth2 { .. })
    }

    /// Whether its tokens can be exchanged: [`Self::exchange`].
    pub const fn exchanges(&self) -> bool {
        matches!(self.way, Way::Oidc { .. } | Way::Appwrite { .. })
    }

    /// Begins a log-in that returns to an address.
    pub async fn begin(&self, redirect_uri: &Url) -> Result<Begun> {
        match &self.way {
            Way::Oidc { issuer, client, .. } => {
                let discovery = issuer.discovery(&self.http).await?;
                Ok(oauth::begin(client, &discovery.authorize, redirect_uri, true))
            }
            Way::OAuth2 { client, endpoints } => Ok(oauth::begin(client, &endpoints.authorize, redirect_uri, false)),
            Way::Appwrite { .. } => Err(Error::Unsupported("Nobody can log in at this provider by a browser")),
        }
    }

    /// Ends a log-in: swaps the code for tokens and finds out who the user is.
    ///
    /// Errors: [`Error::Refused`], [`Error::Unavailable`], [`Error::Unsupported`].
    pub async fn finish(&self, returned: Returned<'_>) -> Result<Grant> {
        if returned.code.is_empty() || returned.code.len() > 4_096 {
            return refused("the code is not one");
        }
        let (tokens, profile) = match &self.way {
            Way::Oidc { issuer, client, .. } => self.by_id_token(issuer, client, &returned).await?,
            Way::OAuth2 { client, endpoints } => self.by_document(client, endpoints, &returned).await?,
            Way::Appwrite { .. } => {
                return Err(Error::Unsupported("Nobody can log in at this provider by a browser"));
            }
        };
        Ok(Grant {
            profile: self.judged(profile),
            access_token: Secret::new(tokens.access_token().secret()),
            refresh_token: tokens.refresh_token().map(|token| Secret::new(token.secret())),
            expires_at: tokens.expires_in().and_then(|lasts| now().checked_add(lasts).ok()),
        })
    }

    /// Finds out whose a foreign token is: an id token by its issuer's keys, a token of Appwrite by asking it.
    ///
    /// Errors: [`Error::TokenInvalid`], [`Error::Unavailable`], [`Error::Unsupported`].
    pub async fn exchange(&self, token: &Secret) -> Result<Profile> {
        let profile = match &self.way {
            Way::Oidc { issuer, client, audiences } => {
                let known: Vec<&str> = std::iter::once(&client.id).chain(audiences).map(String::as_str).collect();
                let claims = issuer.verify(&self.http, token.expose(), &known, None, None).await;
                // Such as a logout token, which is no id token.
                let nobodys = |_| Error::TokenInvalid("it names no subject".to_owned());
                claims.and_then(|claims| Fields::standard().read(&claims).map_err(nobodys))
            }
            Way::Appwrite { endpoint, project } => appwrite::account(&self.http, endpoint, project, token).await,
            Way::OAuth2 { .. } => {
                return Err(Error::Unsupported("The tokens of this provider do not tell for whom they were made"));
            }
        };
        match profile {
            Ok(profile) => Ok(self.judged(profile)),
            Err(Error::Refused(cause)) => Err(Error::TokenInvalid(cause)),
            Err(other) => Err(other),
        }
    }

    async fn by_id_token(
        &self,
        issuer: &Issuer,
        client: &Client,
        returned: &Returned<'_>,
    ) -> Result<(Tokens, Profile)> {
        let discovery = issuer.discovery(&self.http).await?;
        issuer.check_sender(&discovery, returned.iss)?;
        let authentication = client.authentication.or(discovery.authentication);
        let tokens = oauth::tokens(&self.http, client, &discovery.token, authentication, returned).await?;
        let access_token = tokens.access_token().secret();
        let (id_token, nonce) = (oauth::id_token(&tokens)?, returned.nonce.expose());
        let claims = issuer.verify(&self.http, id_token, &[&client.id], Some(nonce), Some(access_token)).await?;
        let profile = Fields::standard().read(&claims)?;
        let profile = self.completed(profile, &discovery, access_token).await?;
        Ok((tokens, profile))
    }

    /// Asks for what the id token leaves out. The document must be about the same user.
    async fn completed(&self, profile: Profile, discovery: &Discovery, access_token: &str) -> Result<Profile> {
        let Some(userinfo) = &discovery.userinfo else { return Ok(profile) };
        if profile.email.is_some() && profile.name.is_some() {
            return Ok(profile);
        }
        let more = Fields::standard().read(&self.http.with_token(userinfo, access_token).await?)?;
        if more.subject != profile.subject {
            return refused("the document about the user is about another one than the id token");
        }
        // An address and whether it is verified belong together.
        let (email, email_verified) = match profile.email {
            Some(email) => (Some(email), profile.email_verified),
            None => (more.email, more.email_verified),
        };
        Ok(Profile {
            subject: profile.subject,
            email,
            email_verified,
            name: profile.name.or(more.name),
            avatar: profile.avatar.or(more.avatar),
            username: profile.username.or(more.username),
        })
    }

    async fn by_document(
        &self,
        client: &Client,
        endpoints: &Endpoints,
        returned: &Returned<'_>,
    ) -> Result<(Tokens, Profile)> {
        let tokens = oauth::tokens(&self.http, client, &endpoints.token, client.authentication, returned).await?;
        let access_token = tokens.access_token().secret();
        let document = self.http.with_token(&endpoints.userinfo, access_token).await?;
        let mut profile = endpoints.fields.read(&document)?;
        if let Some(emails) = &endpoints.emails {
            let address = match self.http.with_token(emails, access_token).await {
                Ok(list) => primary_address(&list),
                // The user or the application may not let us see addresses.
                Err(Error::Refused(_)) => None,
                Err(other) => return Err(other),
            };
            (profile.email, profile.email_verified) =
                address.map_or((None, false), |(email, verified)| (Some(email), verified));
        }
        Ok((tokens, profile))
    }

    /// The profile, with the provider's word on the address believed or not.
    fn judged(&self, profile: Profile) -> Profile {
        Profile { email_verified: profile.email_verified && self.trust_email, ..profile }
    }
}

/// The address holds the state and the nonce.
impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("name", &self.name).finish_non_exhaustive()
    }
}
