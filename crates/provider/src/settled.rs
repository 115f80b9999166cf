//! From what an operator wrote to what is done: every mistake is found here, before anybody logs in.

use std::net::IpAddr;

use kernel::Secret;
use url::{Host, Url};

use crate::{ClientAuthentication, Kind, Preset, ProviderConfig, issuer::Issuer, preset::Known, profile::Fields};

/// What is wrong with a configuration: the key and the problem.
pub(crate) type Mistake = (String, String);

/// A provider as it is meant.
pub(crate) struct Settled {
    pub(crate) way: Way,
    pub(crate) trust_email: bool,
}

/// What a provider speaks, with what is needed for it.
pub(crate) enum Way {
    Oidc { issuer: Box<Issuer>, client: Client, audiences: Vec<String> },
    OAuth2 { client: Client, endpoints: Box<Endpoints> },
    Appwrite { endpoint: Url, project: String },
}

/// Who this installation is to the provider, and what it asks for.
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<Secret>,
    pub(crate) authentication: Option<ClientAuthentication>,
    pub(crate) scopes: Vec<String>,
}

/// Where a provider of plain OAuth 2.0 is, and how its document about the user is read.
pub(crate) struct Endpoints {
    pub(crate) authorize: Url,
    pub(crate) token: Url,
    pub(crate) userinfo: Url,
    pub(crate) emails: Option<Url>,
    pub(crate) fields: Fields,
}

/// Which addresses may be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// Whether `http` is allowed to this machine.
    pub(crate) allow_http: bool,
}

impl Reach {
    /// Whether an address may be asked: by `https`, or by `http` at this machine where that is allowed.
    pub(crate) fn check(self, url: &Url) -> Result<(), String> {
        let local = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
            None => false,
        };
        match url.scheme() {
            _ if !url.username().is_empty() || url.password().is_some() => {
                Err("an address must not hold a user name or a password".to_owned())
            }
            "https" if url.has_host() => Ok(()),
            "http" if self.allow_http && local => Ok(()),
            "http" if local => Err("must begin with https://, unless `allow_http` is set".to_owned()),
            _ => Err("must begin with https://".to_owned()),
        }
    }
}

impl Settled {
    /// What a table of this name means.
    pub(crate) fn of(name: &str, config: &ProviderConfig) -> Result<Self, Mistake> {
        check_name(name)?;
        if config.timeout.0.is_zero() {
            return Err(mistake("timeout", "must be more than nothing"));
        }
        let preset = config.preset.or_else(|| Preset::named(name));
        let known = Preset::known(preset);
        let kind = config.kind_of(preset, known)?;
        config.check_foreign_keys(kind)?;
        let way = match kind {
            Kind::Oidc => config.oidc(known)?,
            Kind::OAuth2 => config.oauth2(preset, known)?,
            Kind::Appwrite => config.appwrite()?,
        };
        Ok(Self { way, trust_email: config.trust_email.unwrap_or(known.trust_email) })
    }
}

impl ProviderConfig {
    /// What the types alone cannot refuse in a table of this name: a key with what is wrong with it.
    pub fn check(&self, name: &str) -> Result<(), (String, String)> {
        Settled::of(name, self).map(drop)
    }

    /// What the provider of a table of this name speaks; none where that cannot be told.
    pub fn kind_as(&self, name: &str) -> Option<Kind> {
        let preset = self.preset.or_else(|| Preset::named(name));
        self.kind_of(preset, Preset::known(preset)).ok()
    }

    const fn reach(&self) -> Reach {
        Reach { allow_http: self.allow_http }
    }

    fn kind_of(&self, preset: Option<Preset>, known: &Known) -> Result<Kind, Mistake> {
        if preset.is_some() {
            let kind = if known.issuer.is_some() { Kind::Oidc } else { Kind::OAuth2 };
            return match self.kind {
                Some(other) if other != kind => Err(mistake("kind", "is not what the preset speaks; leave it out")),
                _ => Ok(kind),
            };
        }
        let guessed = if self.issuer.is_some() {
            Some(Kind::Oidc)
        } else if self.authorize_url.is_some() || self.token_url.is_some() {
            Some(Kind::OAuth2)
        } else if self.endpoint.is_some() {
            Some(Kind::Appwrite)
        } else {
            None
        };
        let problem = "write a `preset`, an `issuer`, an `authorize_url` or an `endpoint`";
        self.kind.or(guessed).ok_or_else(|| mistake("kind", problem))
    }

    /// A key of another kind is a misunderstanding, not something to pass over.
    fn check_foreign_keys(&self, kind: Kind) -> Result<(), Mistake> {
        use Kind::{Appwrite, OAuth2, Oidc};
        let keys: [(&str, bool, &[Kind]); 18] = [
            ("issuer", self.issuer.is_some(), &[Oidc]),
            ("audiences", !self.audiences.is_empty(), &[Oidc]),
            ("authorize_url", self.authorize_url.is_some(), &[OAuth2]),
            ("token_url", self.token_url.is_some(), &[OAuth2]),
            ("userinfo_url", self.userinfo_url.is_some(), &[OAuth2]),
            ("emails_url", self.emails_url.is_some(), &[OAuth2]),
            ("subject_field", self.subject_field.is_some(), &[OAuth2]),
            ("email_field", self.email_field.is_some(), &[OAuth2]),
            ("email_verified_field", self.email_verified_field.is_some(), &[OAuth2]),
            ("name_field", self.name_field.is_some(), &[OAuth2]),
            ("username_field", self.username_field.is_some(), &[OAuth2]),
            ("avatar_field", self.avatar_field.is_some(), &[OAuth2]),
            ("client_id", self.client_id.is_some(), &[Oidc, OAuth2]),
            ("client_secret", self.client_secret.is_some(), &[Oidc, OAuth2]),
            ("scopes", !self.scopes.is_empty(), &[Oidc, OAuth2]),
            ("keep_tokens", self.keep_tokens, &[Oidc, OAuth2]),
            ("endpoint", self.endpoint.is_some(), &[Appwrite]),
            ("project", self.project.is_some(), &[Appwrite]),
        ];
        match keys.into_iter().find(|(_, written, kinds)| *written && !kinds.contains(&kind)) {
            Some((key, ..)) => Err(mistake(key, format!("means nothing where the kind is `{}`", kind.word()))),
            None => Ok(()),
        }
    }

    fn oidc(&self, known: &Known) -> Result<Way, Mistake> {
        let issuer = required("issuer", self.issuer.as_deref().or(known.issuer))?;
        let url = Url::parse(issuer).map_err(|error| mistake("issuer", format!("is no URL: {error}")))?;
        self.reach().check(&url).map_err(|problem| mistake("issuer", problem))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(mistake("issuer", "must have neither a query nor a fragment"));
        }
        if self.audiences.iter().any(String::is_empty) {
            return Err(mistake("audiences", "must not be empty text"));
        }
        let mut client = self.client(&["openid", "email", "profile"])?;
        if !client.scopes.iter().any(|scope| scope == "openid") {
            client.scopes.insert(0, "openid".to_owned());
        }
        let issuer = Box::new(Issuer::new(issuer.to_owned(), self.reach()));
        Ok(Way::Oidc { issuer, client, audiences: self.audiences.clone() })
    }

    fn oauth2(&self, preset: Option<Preset>, known: &Known) -> Result<Way, Mistake> {
        let field = |written: &Option<String>, known: &str| written.as_deref().unwrap_or(known).to_owned();
        if preset.is_none() && self.subject_field.is_none() {
            return Err(mistake("subject_field", "is missing; it names the user's lasting id"));
        }
        let fields = Fields {
            subject: field(&self.subject_field, known.subject),
            email: field(&self.email_field, known.email),
            email_verified: field(&self.email_verified_field, known.email_verified),
            name: field(&self.name_field, known.name),
            username: field(&self.username_field, known.username),
            avatar: field(&self.avatar_field, known.avatar),
            avatar_form: known.avatar_form,
        };
        let emails = match (&self.emails_url, known.emails_url) {
            (None, None) => None,
            (written, known) => Some(self.url("emails_url", written.as_ref(), known.unwrap_or_default())?),
        };
        let endpoints = Endpoints {
            authorize: self.url("authorize_url", self.authorize_url.as_ref(), known.authorize_url)?,
            token: self.url("token_url", self.token_url.as_ref(), known.token_url)?,
            userinfo: self.url("userinfo_url", self.userinfo_url.as_ref(), known.userinfo_url)?,
            emails,
            fields,
        };
        let mut client = self.client(known.scopes)?;
        client.authentication = client.authentication.or(known.authentication);
        Ok(Way::OAuth2 { client, endpoints: Box::new(endpoints) })
    }

    fn appwrite(&self) -> Result<Way, Mistake> {
        let project = required("project", self.project.as_deref())?;
        if !project.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(mistake("project", "is no id of a project"));
        }
        Ok(Way::Appwrite { endpoint: self.url("endpoint", self.endpoint.as_ref(), "")?, project: project.to_owned() })
    }

    fn client(&self, scopes: &[&str]) -> Result<Client, Mistake> {
        // RFC 6749, section 3.3.
        let is_scope = |scope: &String| {
            !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        };
        if let Some(odd) = self.scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(mistake("scopes", format!("{odd:?} is no scope")));
        }
        if self.client_secret.as_ref().is_some_and(|secret| secret.expose().is_empty()) {
            return Err(mistake("client_secret", "is empty; leave it out for a public client"));
        }
        let scopes = if self.scopes.is_empty() {
            scopes.iter().map(|scope| (*scope).to_owned()).collect()
        } else {
            self.scopes.clone()
        };
        let id = required("client_id", self.client_id.as_deref())?.to_owned();
        Ok(Client { id, secret: self.client_secret.clone(), authentication: self.client_authentication, scopes })
    }

    fn url(&self, key: &str, written: Option<&Url>, known: &str) -> Result<Url, Mistake> {
        let url = match written {
            Some(url) => url.clone(),
            None => Url::parse(known).map_err(|_| mistake(key, "is missing"))?,
        };
        self.reach().check(&url).map_err(|problem| mistake(key, problem))?;
        Ok(url)
    }
}

impl Kind {
    /// The word for it, as in the settings.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::OAuth2 => "oauth2",
            Self::Appwrite => "appwrite",
        }
    }
}

/// The name is part of a path that providers are told.
fn check_name(name: &str) -> Result<(), Mistake> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > 32 || !name.bytes().all(fits) {
        let problem = "a provider's name has 1 to 32 of the characters a-z, 0-9, - and _";
        return Err((String::new(), problem.to_owned()));
    }
    Ok(())
}

fn required<'a>(key: &str, value: Option<&'a str>) -> Result<&'a str, Mistake> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| mistake(key, "is missing"))
}

fn mistake(key: &str, problem: impl Into<String>) -> Mistake {
    (key.to_owned(), problem.into())
}
