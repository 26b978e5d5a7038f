//! Passwords, as Argon2id hashes.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, PasswordHash};
use bintrail_engine::Error;

use crate::random;

/// Characters of the shortest password, and bytes of the longest.
pub(super) const SHORTEST: usize = 12;
pub(super) const LONGEST: usize = 1024;

/// Says what is wrong with a new password.
pub(super) fn judge(password: &str, again: &str) -> Result<(), String> {
    if password != again {
        return Err("The two passwords differ.".to_owned());
    }
    if password.chars().count() < SHORTEST {
        return Err(format!("It needs at least {SHORTEST} characters."));
    }
    if password.len() > LONGEST {
        return Err(format!("It may have no more than {LONGEST} bytes."));
    }
    Ok(())
}

pub(super) fn hash(password: &str) -> Result<String, Error> {
    let salt = random::bytes()?;
    let salt = salt.first_chunk::<16>().copied().unwrap_or_default();
    let hash: Result<PasswordHash, _> =
        Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string())
        .map_err(|error| Error::Internal(format!("the password cannot be hashed: {error}")))
}

pub(super) fn fits(password: &str, hash: &str) -> bool {
    Argon2::default()
        .verify_password(password.as_bytes(), hash)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_password_alone() {
        let hash = hash("correct horse battery").unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(fits("correct horse battery", &hash));
        assert!(!fits("correct horse batterz", &hash));
        assert!(!fits("correct horse battery", "nonsense"));
        assert_ne!(hash, super::hash("correct horse battery").unwrap());
    }

    #[test]
    fn new_passwords_are_judged() {
        assert!(judge("short", "short").is_err());
        assert!(judge("long enough one", "long enough two").is_err());
        assert!(judge("long enough one", "long enough one").is_ok());
        let huge = "x".repeat(LONGEST + 1);
        assert!(judge(&huge, &huge).is_err());
    }
}
