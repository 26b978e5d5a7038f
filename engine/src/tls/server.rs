//! The configuration of a TLS server: the console's.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{Error, ServerConfig};

use super::{TlsSetupError, identity};

/// What a server of HTTP/1.1 needs that proves itself by this certificate, and asks for none.
///
/// # Errors
/// A file cannot be used.
pub fn server_config(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsSetupError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let identity = identity(cert, key)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsSetupError::Provider)?
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .map_err(|error| match error {
            Error::InconsistentKeys(_) => TlsSetupError::Mismatch {
                cert: cert.to_owned(),
                key: key.to_owned(),
            },
            error => TlsSetupError::BadKey {
                path: key.to_owned(),
                cause: error.to_string(),
            },
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
