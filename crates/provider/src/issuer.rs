//! An issuer of OpenID Connect: its documents as they are kept, and its id tokens.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::{
    discovery::{self, Discovery},
    error::{Result, refused},
    id_token::{self, Expected},
    kept::Kept,
    keys::Keys,
    outgoing::Outgoing,
    settled::Reach,
};

/// An issuer.
pub(crate) struct Issuer {
    /// As it names itself.
    name: String,
    reach: Reach,
    discovery: Kept<Discovery>,
    keys: Kept<Keys>,
}

impl Issuer {
    pub(crate) fn new(name: String, reach: Reach) -> Self {
        Self { name, reach, discovery: Kept::new(), keys: Kept::new() }
    }

    /// What the issuer tells about itself.
    pub(crate) async fn discovery(&self, http: &Outgoing) -> Result<Arc<Discovery>> {
        let fetch = async {
            let document = http.document(&discovery::address(&self.name)?).await?;
            Discovery::read(document, &self.name, self.reach)
        };
        self.discovery.get(fetch).await
    }

    /// Whether an answer at the redirect address is of this issuer (RFC 9207).
    pub(crate) fn check_sender(&self, discovery: &Discovery, iss: Option<&str>) -> Result<()> {
        match iss {
            Some(iss) if iss != self.name => refused("the answer is of another issuer"),
            None if discovery.names_itself => refused("the answer does not name its issuer"),
            _ => Ok(()),
        }
    }

    /// The claims of an id token of this issuer that says what it must.
    pub(crate) async fn verify(
        &self,
        http: &Outgoing,
        token: &str,
        audiences: &[&str],
        nonce: Option<&str>,
        access_token: Option<&str>,
    ) -> Result<Json> {
        let discovery = self.discovery(http).await?;
        let header = id_token::header(token, &discovery.algorithms)?;
        let fetch = async || Keys::read(http.document(&discovery.keys).await?);
        let mut fitting = self.keys.get(fetch()).await?.fitting(&header);
        if fitting.is_empty() {
            let renewed = self.keys.renewed(fetch()).await?;
            fitting = renewed.map(|keys| keys.fitting(&header)).unwrap_or_default();
        }
        let expected = Expected { issuer: &self.name, audiences, nonce, access_token };
        id_token::verify(token, &header, &fitting, &expected)
    }
}

#[cfg(test)]
#[path = "issuer_tests.rs"]
mod tests;
