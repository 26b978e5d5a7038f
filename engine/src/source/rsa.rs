//! The one RSA operation that authentication needs.

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use super::Error;

/// Encrypts `plaintext` by RSA with OAEP (SHA-1), as MySQL's server decrypts it, for the key `pem`.
///
/// # Errors
/// `pem` is no RSA public key of 2048 to 8192 bits, or too short a one for `plaintext`.
pub(super) fn encrypt(plaintext: &[u8], pem: &[u8]) -> Result<Vec<u8>, Error> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)
        .map_err(|_| Error::RsaKey("it is no PEM public key"))?;
    let key = PublicEncryptingKey::from_der(&der)
        .ok()
        .and_then(|key| OaepPublicEncryptingKey::new(key).ok())
        .ok_or(Error::RsaKey("it is no RSA key of at least 2048 bits"))?;
    if plaintext.len() > key.max_plaintext_size(&OAEP_SHA1_MGF1SHA1) {
        return Err(Error::RsaKey("it is too short for the password"));
    }
    let mut ciphertext = vec![0; key.ciphertext_size()];
    let len = key
        .encrypt(&OAEP_SHA1_MGF1SHA1, plaintext, &mut ciphertext, None)
        .map_err(|_| Error::RsaKey("encryption failed"))?
        .len();
    ciphertext.truncate(len);
    Ok(ciphertext)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_key() {
        for pem in [
            &b""[..],
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            b"\xFF\x00",
        ] {
            assert!(matches!(encrypt(b"x", pem), Err(Error::RsaKey(_))));
        }
    }
}
