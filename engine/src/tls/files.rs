//! Certificates and keys from PEM files.

use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// Why TLS cannot be set up on this side.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsSetupError {
    /// The cryptography that this was built with cannot do TLS 1.2 and 1.3.
    #[error("TLS cannot be set up: {0}")]
    Provider(rustls::Error),
    /// A file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// It holds no certificate.
    #[error("{} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", .0.display())]
    NoCertificate(PathBuf),
    /// A certificate in it cannot be read.
    #[error("{} holds a damaged certificate: {cause}", path.display())]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// It holds no private key.
    #[error("{} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)", .0.display())]
    NoKey(PathBuf),
    /// The private key needs a passphrase.
    #[error(
        "the private key in {} is encrypted, and bintrail asks for no passphrase: write it in clear, to a file that \
         only bintrail may read, with `openssl pkey -in ENCRYPTED -out CLEAR`", .0.display()
    )]
    EncryptedKey(PathBuf),
    /// A private key of a kind that is not supported.
    #[error("the private key in {} cannot be used: {cause}", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The private key is not the certificate's.
    #[error("the private key in {} is not that of the certificate in {}", key.display(), cert.display())]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// A client's certificate with its key, and the PEM texts they were read from.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) chain_pem: Vec<u8>,
    pub(crate) key_pem: Zeroizing<Vec<u8>>,
}

/// The authorities to believe: those of the file, or else the system's. None means that there is neither.
pub(crate) fn authorities(
    ca: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let usable = |certificate: &CertificateDer<'static>| {
        RootCertStore::empty().add(certificate.clone()).is_ok()
    };
    let Some(path) = ca else {
        let system = rustls_native_certs::load_native_certs();
        if let Some(error) = system.errors.first() {
            tracing::debug!("the system's certificates: {error}");
        }
        return Ok(system.certs.into_iter().filter(usable).collect());
    };
    let certificates = certificates(path, &read(path)?)?;
    if let Some(bad) = certificates
        .iter()
        .find_map(|certificate| RootCertStore::empty().add(certificate.clone()).err())
    {
        return Err(TlsSetupError::BadCertificate {
            path: path.to_owned(),
            cause: bad.to_string(),
        });
    }
    Ok(certificates)
}

/// The client's certificate and key.
pub(crate) fn identity(cert: &Path, key: &Path) -> Result<Identity, TlsSetupError> {
    let chain_pem = read(cert)?;
    let chain = certificates(cert, &chain_pem)?;
    let key_pem = Zeroizing::new(read(key)?);
    let parsed = PrivateKeyDer::from_pem_slice(&key_pem);
    // PKCS#8, and the older form of OpenSSL.
    let encrypted = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];
    let key = match parsed {
        Ok(key) => key,
        Err(_) if encrypted.iter().any(|mark| holds(&key_pem, mark)) => {
            return Err(TlsSetupError::EncryptedKey(key.to_owned()));
        }
        Err(_) => return Err(TlsSetupError::NoKey(key.to_owned())),
    };
    Ok(Identity {
        chain,
        key,
        chain_pem,
        key_pem,
    })
}

fn holds(text: &[u8], part: &str) -> bool {
    memchr::memmem::find(text, part.as_bytes()).is_some()
}

fn read(path: &Path) -> Result<Vec<u8>, TlsSetupError> {
    std::fs::read(path).map_err(|cause| TlsSetupError::Unreadable {
        path: path.to_owned(),
        cause,
    })
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    // MySQL ends its files with one, which hides the first certificate of what is put behind them.
    let pem: Vec<u8> = pem.iter().copied().filter(|byte| *byte != 0).collect();
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsSetupError::BadCertificate {
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
    if certificates.is_empty() {
        return Err(TlsSetupError::NoCertificate(path.to_owned()));
    }
    Ok(certificates)
}
