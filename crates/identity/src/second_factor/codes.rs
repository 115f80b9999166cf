//! The codes themselves: those of the moment, and those for when the device is lost.

use aws_lc_rs::rand;
use kernel::{Error, Result, Secret, seal::SealingKey};
use totp_rs::{Builder, Totp};
use uuid::Uuid;

use crate::tokens::hex;

/// Bytes of a secret: what SHA-1, the one algorithm that all devices know, can use.
const SECRET_BYTES: usize = 20;
/// Recovery codes that a user gets.
const RECOVERY_CODES: usize = 10;
/// Of 32 characters none looks like another: 10 of them are 50 bits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new secret.
pub(super) fn new_secret() -> Result<Vec<u8>> {
    random::<SECRET_BYTES>().map(Vec::from)
}

/// The secret as base32, and as the URL that devices scan, with the names that they show.
pub(super) fn shown(secret: Vec<u8>, issuer: &str, account: &str) -> Result<(String, String)> {
    let builder = Builder::new().with_secret(secret).with_issuer(Some(issuer)).with_account_name(account);
    let totp = builder.build().map_err(|error| Error::internal(error.to_string()))?;
    let url = totp.to_url().map_err(|error| Error::internal(error.to_string()))?;
    Ok((totp.secret().to_base32(), url))
}

/// The time step of a code of 6 digits, if it is that of the moment or one of its neighbours. `now` in Unix seconds.
pub(super) fn step(secret: Vec<u8>, code: &Secret, now: u64) -> Result<Option<i64>> {
    let totp: Totp = Builder::new().with_secret(secret).build().map_err(|error| Error::internal(error.to_string()))?;
    Ok(totp.check(code.expose(), now).map(|step| step as i64))
}

/// New recovery codes, as they are shown.
pub(super) fn new_recovery_codes() -> Result<Vec<String>> {
    let one = |_| {
        let bytes = random::<10>()?;
        let text: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
        Ok(format!("{}-{}", &text[..5], &text[5..]))
    };
    (0..RECOVERY_CODES).map(one).collect()
}

/// A recovery code as it is stored, however it was typed.
pub(super) fn hash(key: &SealingKey, user: Uuid, code: &Secret) -> String {
    let read = |c: char| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    };
    let code: String = code.expose().chars().filter(|c| !c.is_whitespace() && *c != '-').map(read).collect();
    hex(&key.mac("recovery-code", &[user.as_bytes(), code.as_bytes()]))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| Error::internal("there is no randomness"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{hash, new_recovery_codes, new_secret, shown, step};
    use kernel::{Secret, seal::SealingKey};
    use std::collections::HashSet;
    use uuid::Uuid;

    /// The secret of RFC 6238, appendix B, whose codes of 8 digits end with these 6.
    fn of_rfc(code: &str, now: u64) -> Option<i64> {
        step(b"12345678901234567890".to_vec(), &Secret::new(code), now).unwrap()
    }

    #[test]
    fn the_codes_of_the_rfc_are_good_in_their_step_and_beside_it() {
        for (now, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            let own = (now / 30) as i64;
            assert_eq!(of_rfc(code, now), Some(own), "{code}");
            assert_eq!((of_rfc(code, now - 30), of_rfc(code, now + 30)), (Some(own), Some(own)), "{code}");
            assert_eq!(of_rfc(code, now + 60), None, "{code}");
        }
        for bad in ["", "28708", "2870822", "28708a", "94287082", "２８７０８２", " 87082", "-87082", "+87082"] {
            assert_eq!(of_rfc(bad, 59), None, "{bad}");
        }
        assert!(of_rfc("287082", 0).is_some() && of_rfc("755224", 0).is_some(), "the first steps of all");
    }

    #[test]
    fn devices_are_told_who_asks_for_the_codes() {
        let (base32, url) = shown(b"12345678901234567890".to_vec(), "example.com", "jane").unwrap();
        assert_eq!(base32, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(url, format!("otpauth://totp/example.com:jane?secret={base32}&issuer=example.com"));
        assert_ne!(new_secret().unwrap(), new_secret().unwrap());
    }

    #[test]
    fn recovery_codes_are_ten_and_read_as_people_type_them() {
        let codes = new_recovery_codes().unwrap();
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), 10);
        assert!(codes.iter().all(|code| code.len() == 11 && code.as_bytes()[5] == b'-'), "{codes:?}");
        let (key, user) = (SealingKey::generate(), Uuid::now_v7());
        let stored = |code: &str| hash(&key, user, &Secret::new(code));
        assert_eq!(stored("01abc-01xyz"), stored(" olabc Oixyz"));
        assert_ne!(stored("01abc-01xyz"), stored("01abc-01xyy"));
        assert_ne!(stored("01abc-01xyz"), hash(&key, Uuid::now_v7(), &Secret::new("01abc-01xyz")));
    }
}
