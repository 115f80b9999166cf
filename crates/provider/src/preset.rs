//! Providers of which all but the client's id and secret is known.

use serde::{Deserialize, Serialize};

use crate::ClientAuthentication;

/// A provider that needs no more than a client's id and secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Google, by OpenID Connect.
    Google,
    /// GitHub, by OAuth 2.0.
    Github,
    /// Discord, by OAuth 2.0.
    Discord,
    /// Spotify, by OAuth 2.0. It does not say whether an address is verified.
    Spotify,
}

/// What a preset says in place of the operator.
pub(crate) struct Known {
    pub(crate) issuer: Option<&'static str>,
    pub(crate) authorize_url: &'static str,
    pub(crate) token_url: &'static str,
    pub(crate) userinfo_url: &'static str,
    pub(crate) emails_url: Option<&'static str>,
    pub(crate) subject: &'static str,
    pub(crate) email: &'static str,
    pub(crate) email_verified: &'static str,
    pub(crate) name: &'static str,
    pub(crate) username: &'static str,
    pub(crate) avatar: &'static str,
    /// Where the picture is, if its field holds no URL: `{subject}` and `{avatar}` are replaced.
    pub(crate) avatar_form: Option<&'static str>,
    pub(crate) authentication: Option<ClientAuthentication>,
    pub(crate) scopes: &'static [&'static str],
    pub(crate) trust_email: bool,
}

const GENERIC: Known = Known {
    issuer: None,
    authorize_url: "",
    token_url: "",
    userinfo_url: "",
    emails_url: None,
    subject: "sub",
    email: "email",
    email_verified: "email_verified",
    name: "name",
    username: "preferred_username",
    avatar: "picture",
    avatar_form: None,
    authentication: None,
    scopes: &[],
    trust_email: false,
};

const GOOGLE: Known = Known { issuer: Some("https://accounts.google.com"), trust_email: true, ..GENERIC };

const GITHUB: Known = Known {
    authorize_url: "https://github.com/login/oauth/authorize",
    token_url: "https://github.com/login/oauth/access_token",
    userinfo_url: "https://api.github.com/user",
    emails_url: Some("https://api.github.com/user/emails"),
    subject: "id",
    username: "login",
    avatar: "avatar_url",
    authentication: Some(ClientAuthentication::Body),
    scopes: &["read:user", "user:email"],
    trust_email: true,
    ..GENERIC
};

const DISCORD: Known = Known {
    authorize_url: "https://discord.com/oauth2/authorize",
    token_url: "https://discord.com/api/oauth2/token",
    userinfo_url: "https://discord.com/api/users/@me",
    subject: "id",
    email_verified: "verified",
    name: "global_name",
    username: "username",
    avatar: "avatar",
    avatar_form: Some("https://cdn.discordapp.com/avatars/{subject}/{avatar}.png"),
    scopes: &["identify", "email"],
    trust_email: true,
    ..GENERIC
};

const SPOTIFY: Known = Known {
    authorize_url: "https://accounts.spotify.com/authorize",
    token_url: "https://accounts.spotify.com/api/token",
    userinfo_url: "https://api.spotify.com/v1/me",
    subject: "id",
    name: "display_name",
    username: "id",
    avatar: "/images/0/url",
    scopes: &["user-read-email"],
    ..GENERIC
};

impl Preset {
    /// The preset that a table's name is that of.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "google" => Some(Self::Google),
            "github" => Some(Self::Github),
            "discord" => Some(Self::Discord),
            "spotify" => Some(Self::Spotify),
            _ => None,
        }
    }

    pub(crate) const fn known(preset: Option<Self>) -> &'static Known {
        match preset {
            None => &GENERIC,
            Some(Self::Google) => &GOOGLE,
            Some(Self::Github) => &GITHUB,
            Some(Self::Discord) => &DISCORD,
            Some(Self::Spotify) => &SPOTIFY,
        }
    }
}
