//! The configuration of a TLS client.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
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

/// The authorities to believe.
fn roots(options: &TlsOptions) -> Result<RootCertStore, TlsSetupError> {
    Ok(or_those_of_browsers(authorities(options.ca.as_deref())?))
}

/// Without any of the user's or the system's, those that browsers believe.
fn or_those_of_browsers(authorities: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities);
    if roots.is_empty() {
        tracing::debug!("the system has no authorities: those that browsers believe are taken");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn browsers_are_followed_only_where_nobody_else_is() {
        let known = or_those_of_browsers(Vec::new());
        assert!(known.len() > 50, "{}", known.len());
        let key = KeyPair::generate().unwrap();
        let ours = CertificateParams::default().self_signed(&key).unwrap();
        assert_eq!(or_those_of_browsers(vec![ours.der().clone()]).len(), 1);
    }

    /// In a process of its own, to whom the system has no authorities.
    #[test]
    fn a_system_without_authorities_leaves_those_of_browsers() {
        const ALONE: &str = "BINTRAIL_TEST_WITHOUT_AUTHORITIES";
        if std::env::var_os(ALONE).is_some() {
            assert_eq!(authorities(None).unwrap(), []);
            let believed = roots(&TlsOptions::default()).unwrap();
            assert_eq!(believed.roots, webpki_roots::TLS_SERVER_ROOTS);
            return;
        }
        let name = std::thread::current().name().unwrap().to_owned();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(ALONE, "1")
            .env("SSL_CERT_FILE", "/dev/null")
            .env("SSL_CERT_DIR", "/dev/null/missing")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
