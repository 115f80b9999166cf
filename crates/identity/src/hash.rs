//! Hashes of passwords: how they are made, compared, and judged where they come from elsewhere.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};
use kernel::{Error, Reason, Result, Secret};

use crate::{IdentityConfig, PasswordHash};

/// Bytes of a password that bcrypt knows.
const BCRYPT_BYTES: usize = 72;
/// As much as the column holds.
const MAX_LENGTH: usize = 255;
/// What an imported hash may cost: kilobytes, passes and both together, which is about two seconds of a core.
const MAX_MEMORY: u32 = 256 << 10;
const MAX_PASSES: u32 = 32;
const MAX_WORK: u64 = 1 << 20;
const MAX_BCRYPT_COST: u32 = 15;
const MIN_OUTPUT: usize = 16;

/// The outcome of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another password, or there is none to compare with.
    Wrong,
    /// The password.
    Right,
    /// The password, but its hash was made otherwise than is in force.
    Outdated,
}

/// How new hashes are made.
#[derive(Debug, Clone)]
pub(crate) enum Scheme {
    Argon2id(Params),
    /// With its cost.
    Bcrypt(u32),
}

impl Scheme {
    pub(crate) fn of(config: &IdentityConfig) -> Self {
        if config.password_hash == PasswordHash::Bcrypt {
            return Self::Bcrypt(config.bcrypt_cost);
        }
        let kilobytes = u32::try_from(config.password_memory.0 >> 10).unwrap_or(Params::MAX_M_COST);
        let kilobytes = kilobytes.max(Params::MIN_M_COST);
        let params = Params::new(kilobytes, config.password_passes.get(), Params::DEFAULT_P_COST, None);
        Self::Argon2id(params.unwrap_or(Params::DEFAULT))
    }

    /// Refuses what this way of hashing would cut off. Errors: 422 `password_unfit`.
    pub(crate) fn check(&self, password: &Secret) -> Result<()> {
        match self {
            Self::Bcrypt(_) if password.expose().len() > BCRYPT_BYTES => {
                let message = format!("A password has at most {BCRYPT_BYTES} bytes here");
                Err(Error::new(Reason::PasswordUnfit, message).at("password"))
            }
            _ => Ok(()),
        }
    }

    /// The hash of a password, as it is stored.
    pub(crate) fn hash(&self, password: &Secret) -> Result<String> {
        self.check(password)?;
        let password = password.expose().as_bytes();
        match self {
            Self::Argon2id(params) => {
                let hash = argon2(params.clone()).hash_password(password);
                hash.map(|hash| hash.to_string()).map_err(|error| Error::internal(error.to_string()))
            }
            Self::Bcrypt(cost) => bcrypt::hash(password, *cost).map_err(|error| Error::internal(error.to_string())),
        }
    }

    /// Compares a password with a hash of any kind that is known. One of bcrypt knows only the first 72 bytes.
    pub(crate) fn compare(&self, password: &Secret, known: &str) -> Verdict {
        let password = password.expose().as_bytes();
        let (right, current) = if is_bcrypt(known) {
            let current = known.parse().is_ok_and(|parts: bcrypt::HashParts| self.is_bcrypt_of(parts.get_cost()));
            (bcrypt::verify(password, known).unwrap_or(false), current)
        } else {
            let Ok(known) = phc::PasswordHash::new(known) else { return Verdict::Wrong };
            let right = argon2(Params::DEFAULT).verify_password(password, &known).is_ok();
            (right, self.is_argon2_of(&known))
        };
        match (right, current) {
            (false, _) => Verdict::Wrong,
            (true, true) => Verdict::Right,
            (true, false) => Verdict::Outdated,
        }
    }

    fn is_bcrypt_of(&self, made_with: u32) -> bool {
        matches!(self, Self::Bcrypt(cost) if *cost == made_with)
    }

    fn is_argon2_of(&self, known: &phc::PasswordHash) -> bool {
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        let Self::Argon2id(params) = self else { return false };
        known.algorithm.as_str() == Algorithm::Argon2id.as_str()
            && Params::try_from(known).is_ok_and(|made_with| costs(&made_with) == costs(params))
    }
}

fn argon2(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Whether a hash is one of bcrypt's genuine kinds; `$2x$` marks those that a broken program made.
fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix))
}

/// Refuses a hash from elsewhere that cannot be verified here or would cost too much. Errors: 400 `field_invalid`.
pub(crate) fn check_imported(hash: &Secret) -> Result<()> {
    let hash = hash.expose();
    let invalid = |message: &str| Error::new(Reason::FieldInvalid, message).at("password_hash");
    let costly = || invalid("The hash costs too much to verify");
    let unknown = || invalid("The hash is neither of bcrypt ($2a$, $2b$, $2y$) nor of Argon2 in PHC form");
    if hash.len() > MAX_LENGTH {
        return Err(unknown());
    }
    if is_bcrypt(hash) {
        let parts: bcrypt::HashParts = hash.parse().map_err(|_| unknown())?;
        return match parts.get_cost() {
            4..=MAX_BCRYPT_COST => Ok(()),
            0..4 => Err(unknown()),
            _ => Err(costly()),
        };
    }
    let parsed = phc::PasswordHash::new(hash).map_err(|_| unknown())?;
    let known = Algorithm::try_from(parsed.algorithm.as_str()).is_ok()
        && parsed.version.is_none_or(|version| Version::try_from(version).is_ok())
        && parsed.salt.is_some()
        && parsed.hash.as_ref().is_some_and(|output| output.len() >= MIN_OUTPUT);
    let params = Params::try_from(&parsed).ok().filter(|_| known).ok_or_else(unknown)?;
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    if params.m_cost() > MAX_MEMORY || params.t_cost() > MAX_PASSES || work > MAX_WORK {
        return Err(costly());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Scheme, Verdict, check_imported};
    use crate::{IdentityConfig, PasswordHash};
    use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHasher};
    use kernel::{ByteSize, Reason, Secret};
    use proptest::prelude::*;

    fn argon2id() -> Scheme {
        Scheme::of(&IdentityConfig { password_memory: ByteSize(64 << 10), ..IdentityConfig::default() })
    }

    fn bcrypt_scheme() -> Scheme {
        let config =
            IdentityConfig { password_hash: PasswordHash::Bcrypt, bcrypt_cost: 10, ..IdentityConfig::default() };
        Scheme::of(&config)
    }

    #[test]
    fn what_other_programs_made_is_verified_and_outdated() {
        // A test vector of crypt_blowfish, and the same in the words of its siblings.
        for version in ["2a", "2b", "2y"] {
            let hash = format!("${version}$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
            assert!(check_imported(&Secret::new(&*hash)).is_ok());
            assert_eq!(argon2id().compare(&Secret::new("U*U"), &hash), Verdict::Outdated);
            assert_eq!(argon2id().compare(&Secret::new("U*V"), &hash), Verdict::Wrong);
        }
        for algorithm in [Algorithm::Argon2d, Algorithm::Argon2i] {
            let argon2 = Argon2::new(algorithm, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
            let hash = argon2.hash_password(b"a good long one").unwrap().to_string();
            assert!(check_imported(&Secret::new(&*hash)).is_ok(), "{hash}");
            assert_eq!(argon2id().compare(&Secret::new("a good long one"), &hash), Verdict::Outdated);
            assert_eq!(argon2id().compare(&Secret::new("a bad long one"), &hash), Verdict::Wrong);
        }
    }

    #[test]
    fn each_scheme_makes_what_it_takes_for_current() {
        let password = Secret::new("a good long one");
        let (first, second) = (argon2id().hash(&password).unwrap(), bcrypt_scheme().hash(&password).unwrap());
        assert!(first.starts_with("$argon2id$v=19$m=64,t=2,p=1$") && second.starts_with("$2b$10$"), "{first} {second}");
        assert_eq!(argon2id().compare(&password, &first), Verdict::Right);
        assert_eq!(bcrypt_scheme().compare(&password, &second), Verdict::Right);
        assert_eq!(bcrypt_scheme().compare(&password, &first), Verdict::Outdated);
        assert_eq!(argon2id().compare(&password, &second), Verdict::Outdated);
        for known in ["", "not a hash", "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "$2b$"] {
            assert_eq!(argon2id().compare(&password, known), Verdict::Wrong, "{known}");
        }
    }

    #[test]
    fn bcrypt_cuts_nothing_off() {
        let (fits, long) = (Secret::new("é".repeat(36)), Secret::new("x".repeat(73)));
        assert!(bcrypt_scheme().hash(&fits).is_ok());
        let error = bcrypt_scheme().hash(&long).unwrap_err();
        assert_eq!((error.reason, error.field.as_deref()), (Reason::PasswordUnfit, Some("password")));
        assert!(argon2id().hash(&long).is_ok());
    }

    #[test]
    fn what_cannot_be_verified_or_costs_too_much_is_not_imported() {
        let salt_and_output = "c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs";
        let argon2 = |costs: &str| format!("$argon2id$v=19${costs}${salt_and_output}");
        assert!(check_imported(&Secret::new(argon2("m=65536,t=3,p=4"))).is_ok());
        for bad in [
            argon2("m=262145,t=1,p=1"),
            argon2("m=8192,t=33,p=1"),
            argon2("m=262144,t=5,p=1"),
            argon2("m=4294967295,t=4294967295,p=1"),
            argon2("m=1,t=1,p=1"),
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA".to_owned(),
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$c2hvcnQ".to_owned(),
            argon2("m=65536,t=3,p=4").replace("argon2id", "scrypt"),
            "$2b$16$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
            "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
            "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe".to_owned(),
            "5f4dcc3b5aa765d61d8327deb882cf99".to_owned(),
            "password".to_owned(),
            String::new(),
        ] {
            let error = check_imported(&Secret::new(&*bad)).unwrap_err();
            assert_eq!((error.reason, error.field.as_deref()), (Reason::FieldInvalid, Some("password_hash")), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(\\$2b\\$|\\$argon2id\\$v=19\\$)?.*") {
            if check_imported(&Secret::new(&*text)).is_err() {
                let _ = argon2id().compare(&Secret::new("a good long one"), &text);
            }
        }
    }
}
