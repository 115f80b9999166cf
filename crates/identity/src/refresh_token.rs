//! Refresh tokens as text. What they say is recognised by a keyed hash, so that nothing of them is stored and any that
//! was ever given out is known again.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use kernel::{TenantId, seal::SealingKey};
use uuid::Uuid;

use crate::base62;

const PREFIX: &str = "inr_";
const PURPOSE: &str = "refresh token";
/// Tenant, session, generation and keyed hash: 16, 16, 8 and 32 bytes.
const BLOCKS: usize = 9;

/// A text of the right form; until [`Self::is_genuine`] nothing of it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) tenant: TenantId,
    pub(crate) session: Uuid,
    pub(crate) generation: i64,
    mac: [u8; 32],
}

impl RefreshToken {
    /// The token of a generation of a session, under the tenant's data key.
    pub(crate) fn new(key: &SealingKey, tenant: TenantId, session: Uuid, generation: i64) -> Self {
        Self { tenant, session, generation, mac: mac(key, tenant, session, generation) }
    }

    /// Whether it was made under this key.
    pub(crate) fn is_genuine(&self, key: &SealingKey) -> bool {
        let expected = mac(key, self.tenant, self.session, self.generation);
        verify_slices_are_equal(&expected, &self.mac).is_ok()
    }

    /// Reads a text; none where it has another form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let blocks = base62::decode::<BLOCKS>(text.strip_prefix(PREFIX)?)?;
        let bytes = blocks.as_flattened();
        let (tenant, rest) = bytes.split_first_chunk::<16>()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (generation, mac) = rest.split_first_chunk::<8>()?;
        Some(Self {
            tenant: Uuid::from_bytes(*tenant),
            session: Uuid::from_bytes(*session),
            generation: i64::from_be_bytes(*generation),
            mac: mac.try_into().ok()?,
        })
    }

    /// The text that a client keeps.
    pub(crate) fn to_text(self) -> String {
        let mut blocks = [[0; 8]; BLOCKS];
        let bytes = self.tenant.into_bytes().into_iter().chain(self.session.into_bytes());
        let bytes = bytes.chain(self.generation.to_be_bytes()).chain(self.mac);
        blocks.as_flattened_mut().iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        format!("{PREFIX}{}", base62::encode(&blocks))
    }
}

fn mac(key: &SealingKey, tenant: TenantId, session: Uuid, generation: i64) -> [u8; 32] {
    key.mac(PURPOSE, &[tenant.as_bytes(), session.as_bytes(), &generation.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::RefreshToken;
    use kernel::seal::SealingKey;
    use proptest::prelude::*;
    use uuid::Uuid;

    #[test]
    fn a_token_is_of_its_key_session_and_generation() {
        let (key, tenant, session) = (SealingKey::generate(), Uuid::from_u128(1), Uuid::from_u128(2));
        let token = RefreshToken::new(&key, tenant, session, 7);
        let text = token.to_text();
        assert_eq!((text.len(), &text[..4]), (103, "inr_"));
        assert_eq!(RefreshToken::parse(&text), Some(token));
        assert!(token.is_genuine(&key));
        assert!(!token.is_genuine(&SealingKey::generate()));
        for other in [
            RefreshToken { generation: 8, ..token },
            RefreshToken { session: tenant, ..token },
            RefreshToken { tenant: session, ..token },
        ] {
            assert!(!other.is_genuine(&key), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_none_is_genuine(text in ".*", digits in "[0-9A-Za-z]{99}") {
            let key = SealingKey::from_bytes([7; 32]);
            for text in [text, digits] {
                let parsed = RefreshToken::parse(&format!("inr_{text}"));
                prop_assert!(!parsed.is_some_and(|token| token.is_genuine(&key)));
            }
        }

        #[test]
        fn one_other_character_is_no_token(at in 4_usize..103, other in "[0-9A-Za-z]") {
            let key = SealingKey::from_bytes([7; 32]);
            let mut text = RefreshToken::new(&key, Uuid::from_u128(1), Uuid::from_u128(2), 3).to_text();
            prop_assume!(text[at..=at] != other);
            text.replace_range(at..=at, &other);
            prop_assert!(!RefreshToken::parse(&text).is_some_and(|token| token.is_genuine(&key)));
        }
    }
}
