//! TLS to a source and to an index, and of the console: what the user may ask for, and what is made of it.
//!
//! The modes mean what they mean to MySQL's own clients, with one exception: after a handshake that failed nothing
//! is ever sent in clear.

mod client;
mod failure;
mod files;
mod server;
mod verifier;

use std::path::PathBuf;

pub(crate) use client::client_config;
pub(crate) use failure::{explain, explain_tls};
pub use files::TlsSetupError;
pub(crate) use files::{authorities, identity};
pub use server::server_config;

/// How much TLS a connection must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// None.
    Disabled,
    /// When the server offers it; its certificate is not checked.
    #[default]
    Preferred,
    /// Always; its certificate is not checked.
    Required,
    /// Always, with a certificate of a known authority.
    VerifyCa,
    /// Always, with a certificate of a known authority for this very host.
    VerifyIdentity,
}

impl SslMode {
    /// The names that [`from_name`](Self::from_name) takes, as an error can list them.
    pub const NAMES: &str = "disabled, preferred, required, verify-ca or verify-identity";

    /// The mode of a name as MySQL's `--ssl-mode` has it, in any case; `verify-full` is `verify-identity`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "disabled" => Self::Disabled,
            "preferred" => Self::Preferred,
            "required" => Self::Required,
            "verify-ca" => Self::VerifyCa,
            "verify-identity" | "verify-full" => Self::VerifyIdentity,
            _ => return None,
        })
    }

    /// Its name, of [`NAMES`](Self::NAMES).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Preferred => "preferred",
            Self::Required => "required",
            Self::VerifyCa => "verify-ca",
            Self::VerifyIdentity => "verify-identity",
        }
    }

    /// Whether the server's certificate is checked.
    #[must_use]
    pub const fn verifies(self) -> bool {
        matches!(self, Self::VerifyCa | Self::VerifyIdentity)
    }
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsOptions {
    /// How much TLS.
    pub mode: Option<SslMode>,
    /// A PEM file of the authorities to believe, instead of the system's.
    pub ca: Option<PathBuf>,
    /// A PEM file with the client's certificate, and those between it and its authority.
    pub cert: Option<PathBuf>,
    /// A PEM file with the client certificate's private key.
    pub key: Option<PathBuf>,
}

impl TlsOptions {
    /// These options, and for each one that is not given that of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            mode: self.mode.or(other.mode),
            ca: self.ca.or(other.ca),
            cert: self.cert.or(other.cert),
            key: self.key.or(other.key),
        }
    }

    /// How much TLS these options mean. As with MySQL's client, naming authorities means to verify by them.
    #[must_use]
    pub fn mode(&self) -> SslMode {
        match (self.mode, &self.ca) {
            (Some(mode), _) => mode,
            (None, Some(_)) => SslMode::VerifyCa,
            (None, None) => SslMode::default(),
        }
    }

    /// What of these options has no effect, or cannot go together. `prefix` is that of their flags.
    ///
    /// # Errors
    /// A client certificate without its key, or a key without its certificate.
    pub fn check(&self, prefix: &str) -> Result<(), String> {
        match (&self.cert, &self.key) {
            (Some(_), None) => Err(format!(
                "--{prefix}ssl-cert needs --{prefix}ssl-key: a client certificate is of no use without its key"
            )),
            (None, Some(_)) => Err(format!(
                "--{prefix}ssl-key needs --{prefix}ssl-cert: a key is of no use without its client certificate"
            )),
            _ => {
                if self.ca.is_some() && !self.mode().verifies() {
                    tracing::warn!(
                        "--{prefix}ssl-ca has no effect: --{prefix}ssl-mode does not verify the server's certificate; \
                         verify-ca or verify-identity would"
                    );
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_that_is_meant() {
        let ca = Some(PathBuf::from("ca.pem"));
        for (mode, ca, expected) in [
            (None, None, SslMode::Preferred),
            (None, ca.clone(), SslMode::VerifyCa),
            (Some(SslMode::Required), ca.clone(), SslMode::Required),
            (Some(SslMode::VerifyIdentity), None, SslMode::VerifyIdentity),
        ] {
            let options = TlsOptions {
                mode,
                ca,
                ..TlsOptions::default()
            };
            assert_eq!(options.mode(), expected);
        }
        for name in ["verify-full", "VERIFY_IDENTITY", "Verify-Identity"] {
            assert_eq!(SslMode::from_name(name), Some(SslMode::VerifyIdentity));
        }
        assert_eq!(SslMode::from_name("verify"), None);
    }

    #[test]
    fn a_certificate_needs_its_key_and_a_key_its_certificate() {
        let only = |cert: Option<&str>, key: Option<&str>| {
            let options = TlsOptions {
                cert: cert.map(PathBuf::from),
                key: key.map(PathBuf::from),
                ..TlsOptions::default()
            };
            options.check("index-")
        };
        assert!(
            only(Some("c"), None)
                .unwrap_err()
                .starts_with("--index-ssl-cert needs --index-ssl-key")
        );
        assert!(
            only(None, Some("k"))
                .unwrap_err()
                .starts_with("--index-ssl-key needs --index-ssl-cert")
        );
        assert_eq!(only(Some("c"), Some("k")), Ok(()));
        assert_eq!(only(None, None), Ok(()));
    }
}
