//! Random texts, and the comparison of secret ones.

use aws_lc_rs::rand;
use bintrail_engine::Error;
use sha2::{Digest, Sha256};

/// 256 random bits.
pub(crate) fn bytes() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes)
        .map_err(|_| Error::Internal("the system gives no random numbers".to_owned()))?;
    Ok(bytes)
}

/// 256 random bits, as 64 hexadecimal digits.
pub(crate) fn text() -> Result<String, Error> {
    Ok(hex(&bytes()?))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is kept of a secret text, and compared: its hash tells nothing by the time that a comparison takes.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}
