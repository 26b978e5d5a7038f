//! The configuration of a TLS client.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, Error, RootCertStore};

use super::verifier::{Check, Verifier};
use super::{SslMode, TlsOptions, TlsSetupError, authorities, identity};

/// What a client needs for `options`. Reads the files each time, so that a renewed certificate is taken up by the
/// next connection.
///
/// # Errors
/// A file cannot be used.
pub(crate) fn client_config(options: &TlsOptions) -> Result<Arc<ClientConfig>, TlsSetupError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let check = match options.mode() {
        SslMode::Disabled | SslMode::Preferred | SslMode::Required => Check::Nothing,
        SslMode::VerifyCa => Check::Chain(roots(options)?),
        SslMode::VerifyIdentity => Check::Identity(roots(options)?),
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsSetupError::Provider)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(check, &provider)));
    let config = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => {
            let identity = identity(cert, key)?;
            builder
                .with_client_auth_cert(identity.chain, identity.key)
                .map_err(|error| match error {
                    Error::InconsistentKeys(_) => TlsSetupError::Mismatch {
                        cert: cert.clone(),
                        key: key.clone(),
                    },
                    error => TlsSetupError::BadKey {
                        path: key.clone(),
                        cause: error.to_string(),
                    },
                })?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// The authorities to believe; without any of the user's or the system's, those that browsers believe.
fn roots(options: &TlsOptions) -> Result<RootCertStore, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities(options.ca.as_deref())?);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(roots)
}
