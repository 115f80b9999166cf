//! What an operator writes about a provider.

use kernel::{Secret, Span};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::Preset;

/// A provider of accounts, in the table `[identity.providers.NAME]`.
///
/// Where NAME is that of a preset, `client_id` and `client_secret` are enough. Whatever is written beats the preset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderConfig {
    /// What is known of the provider already: `google`, `github`, `discord` or `spotify`; that of the table's name
    /// where absent.
    pub preset: Option<Preset>,
    /// What the provider speaks: `oidc`, `oauth2` or `appwrite`; guessed from the other keys where absent.
    pub kind: Option<Kind>,
    /// Of `oidc`: the issuer exactly as it names itself, under which its discovery document is found.
    pub issuer: Option<String>,
    /// Of `oauth2`: where browsers are sent.
    pub authorize_url: Option<Url>,
    /// Of `oauth2`: where a code becomes a token.
    pub token_url: Option<Url>,
    /// Of `oauth2`: where a token becomes what is known of its user.
    pub userinfo_url: Option<Url>,
    /// Of `oauth2`: where the user's addresses are listed in the way of GitHub, each with `email`, `primary` and
    /// `verified`; the primary one counts.
    pub emails_url: Option<Url>,
    /// Of `oauth2`: the field of the user's lasting id in the answer of `userinfo_url`: a name, or a JSON pointer such
    /// as `/data/id`.
    pub subject_field: Option<String>,
    /// Of `oauth2`: the field of the e-mail address; `email` where absent.
    pub email_field: Option<String>,
    /// Of `oauth2`: the field that says whether the address is verified; `email_verified` where absent.
    pub email_verified_field: Option<String>,
    /// Of `oauth2`: the field of the name for people; `name` where absent.
    pub name_field: Option<String>,
    /// Of `oauth2`: the field of the user name; `preferred_username` where absent.
    pub username_field: Option<String>,
    /// Of `oauth2`: the field of the picture's URL; `picture` where absent.
    pub avatar_field: Option<String>,
    /// The id under which the provider knows this installation.
    pub client_id: Option<String>,
    /// The secret that goes with it; none for a public client.
    pub client_secret: Option<Secret>,
    /// How id and secret are sent: `basic` or `body`; as the provider says where absent, or else `basic`.
    pub client_authentication: Option<ClientAuthentication>,
    /// What the user is asked to allow; who they are and their address where empty.
    pub scopes: Vec<String>,
    /// Whether an address counts as verified when the provider says so; only for `google`, `github` and `discord`
    /// where absent.
    pub trust_email: Option<bool>,
    /// Whether the tokens that the provider gives are kept, sealed, with the accounts that are linked.
    pub keep_tokens: bool,
    /// Of `oidc`: client ids besides `client_id` whose id tokens may be exchanged, such as those of one's own apps.
    pub audiences: Vec<String>,
    /// Of `appwrite`: the API's address, such as `https://cloud.appwrite.io/v1`.
    pub endpoint: Option<Url>,
    /// Of `appwrite`: the project's id.
    pub project: Option<String>,
    /// Whether `http` is allowed to addresses of this machine, for tests and laptops; never to others.
    pub allow_http: bool,
    /// The time that one request to the provider may take.
    pub timeout: Span,
}

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// OpenID Connect with discovery.
    Oidc,
    /// OAuth 2.0 with a document about the user.
    OAuth2,
    /// Appwrite, whose account tokens can be exchanged and nothing else.
    Appwrite,
}

/// How a client shows who it is at the token endpoint (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthentication {
    /// HTTP Basic.
    Basic,
    /// Parameters of the body.
    Body,
}

impl Default for ProviderConfig {
    fn default() -> Self {
        Self {
            preset: None,
            kind: None,
            issuer: None,
            authorize_url: None,
            token_url: None,
            userinfo_url: None,
            emails_url: None,
            subject_field: None,
            email_field: None,
            email_verified_field: None,
            name_field: None,
            username_field: None,
            avatar_field: None,
            client_id: None,
            client_secret: None,
            client_authentication: None,
            scopes: Vec::new(),
            trust_email: None,
            keep_tokens: false,
            audiences: Vec::new(),
            endpoint: None,
            project: None,
            allow_http: false,
            timeout: Span::seconds(10),
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
