//! What a failed handshake means, and what to do about it, in one line.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// What `error` says when TLS is its cause; `None` when the connection broke by itself.
///
/// Options are named as the DSN's parameters are, so that it fits the source and the index.
pub(crate) fn explain(error: &io::Error) -> Option<String> {
    error.get_ref()?.downcast_ref::<Error>().map(explain_tls)
}

/// The same of rustls's own error.
pub(crate) fn explain_tls(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )
        | Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            "the server has no TLS newer than 1.1, which is not safe: upgrade it or, where the way to it is safe \
             without, set ssl-mode=disabled"
                .to_owned()
        }
        Error::AlertReceived(AlertDescription::HandshakeFailure)
        | Error::PeerIncompatible(_) => {
            format!("the server has no TLS version or cipher in common with this client ({error})")
        }
        Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError,
        ) => format!(
            "the server does not accept the client's certificate: give one that its authority signed as ssl-cert, \
             with its ssl-key ({error})"
        ),
        error => error.to_string(),
    }
}

fn certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => format!(
            "the server's certificate, or one it stands on, has expired: renew it, and check this machine's clock ({error})"
        ),
        E::NotValidYet | E::NotValidYetContext { .. } => format!(
            "the server's certificate is not valid yet: check this machine's clock ({error})"
        ),
        E::UnknownIssuer | E::BadSignature => {
            "no known authority stands behind the server's certificate: give its authority's certificate as ssl-ca \
             (MySQL's own is ca.pem in its data directory)"
                .to_owned()
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => name(error),
        other => {
            let text = other.to_string();
            if text.contains("UnsupportedCertVersion") {
                "the server's certificate is of X.509 version 1, which cannot be verified: make it anew as version 3 \
                 (`openssl x509 -req` does so with -extfile)"
                    .to_owned()
            } else if text.contains("CaUsedAsEndEntity") {
                "the server's certificate is that of an authority: give the server one of its own, signed by that \
                 authority"
                    .to_owned()
            } else {
                format!("the server's certificate is not accepted: {text}")
            }
        }
    }
}

fn name(error: &CertificateError) -> String {
    let CertificateError::NotValidForNameContext {
        expected,
        presented,
    } = error
    else {
        return "the server's certificate is for another host".to_owned();
    };
    let expected = expected.to_str();
    if presented.is_empty() {
        // MySQL's own client would look at the common name then, as no other TLS client does any more.
        return format!(
            "the server's certificate names no host (no subjectAltName), so it cannot be that of {expected}, as \
             ssl-mode=verify-identity demands: make one that does, or set ssl-mode=verify-ca; the certificates that MySQL \
             makes for itself are of this kind"
        );
    }
    let presented: Vec<&str> = presented.iter().map(|name| plain(name)).collect();
    format!(
        "the server's certificate is for {} and not for {expected}: connect by the name it has, make one for this name, \
         or set ssl-mode=verify-ca",
        presented.join(", ")
    )
}

/// The name alone of what rustls gives as `DnsName("db.example.com")` or `IpAddress(10.0.0.1)`.
fn plain(presented: &str) -> &str {
    let inner = presented
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::RootCertStore;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    use super::super::verifier::{Check, Verifier};
    use super::*;

    /// What is said of `certificate`, with `authority` known.
    fn said(authority: &CertificateDer<'static>, certificate: &[u8]) -> String {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).unwrap();
        let verifier = Verifier::new(Check::Chain(roots), &default_provider());
        let name = ServerName::try_from("h").unwrap();
        let verdict =
            verifier.verify_server_cert(&certificate.into(), &[], &name, &[], UnixTime::now());
        explain_tls(&verdict.unwrap_err())
    }

    #[test]
    fn certificates_that_are_refused_for_their_form() {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = issuer.der().clone();
        assert!(said(&authority, &authority).contains("that of an authority"));

        let leaf = CertificateParams::new(["h".to_owned()]).unwrap();
        let leaf = leaf
            .signed_by(&KeyPair::generate().unwrap(), &issuer)
            .unwrap();
        let mut old = leaf.der().to_vec();
        let version = memchr::memmem::find(&old, b"\xa0\x03\x02\x01\x02").unwrap();
        old[version + 4] = 0;
        assert!(said(&authority, &old).contains("X.509 version 1"));
        assert!(said(&authority, b"none").contains("not accepted"));
    }
}
