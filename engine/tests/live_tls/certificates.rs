//! Certificates made for the tests.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256,
    RsaKeySize, date_time_ymd,
};

/// A directory that is removed when dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(label: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bintrail-{label}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A certificate and its key, as files.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// Someone who signs certificates.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    name: &'static str,
    pub(crate) cert: PathBuf,
}

impl Authority {
    pub(crate) fn new(directory: &Directory, name: &'static str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, key()).unwrap();
        let cert = directory.write(&format!("{name}.pem"), &issuer.pem());
        Self { issuer, name, cert }
    }

    /// A certificate for `hosts`, names and addresses, which has expired if it is to.
    pub(crate) fn sign(
        &self,
        directory: &Directory,
        label: &str,
        hosts: &[&str],
        expired: bool,
    ) -> Pair {
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, label);
        params.is_ca = IsCa::ExplicitNoCa;
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = key();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let label = format!("{}-{label}", self.name);
        Pair {
            cert: directory.write(&format!("{label}-cert.pem"), &cert.pem()),
            key: directory.write(&format!("{label}-key.pem"), &key.serialize_pem()),
        }
    }
}

/// RSA, which servers of every age take.
fn key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

/// `key` as "RSA PRIVATE KEY" (PKCS#1), the only form that MySQL 5.6 reads.
pub(crate) fn as_pkcs1(directory: &Directory, key: &Path) -> PathBuf {
    let pem = fs::read_to_string(key).unwrap();
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = decode_base64(&text);
    // PrivateKeyInfo: SEQUENCE, version, algorithm (rsaEncryption, NULL), OCTET STRING; each with its header.
    const HEAD: usize = 4 + 3 + 15 + 4;
    assert_eq!(
        der[7..22],
        *b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
    );
    let body = encode_base64(&der[HEAD..]);
    let lines: Vec<_> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let name = format!("pkcs1-{}", key.file_name().unwrap().to_str().unwrap());
    directory.write(
        &name,
        &format!(
            "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
            lines.join("\n")
        ),
    )
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn decode_base64(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let digit = ALPHABET.iter().position(|c| *c == byte).unwrap();
        bits = bits << 6 | u32::try_from(digit).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xFF).try_into().unwrap());
        }
    }
    out
}

fn encode_base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0_u32, |word, at| {
            word << 8 | u32::from(chunk.get(at).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            if digit <= chunk.len() {
                let index = usize::try_from(word >> (18 - 6 * digit) & 63).unwrap();
                out.push(char::from(ALPHABET[index]));
            } else {
                out.push('=');
            }
        }
    }
    out
}
