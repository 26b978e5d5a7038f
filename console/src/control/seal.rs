//! Passwords at rest: AES-256-GCM under a key that stands in a file of its own, so that the store alone tells none.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use bintrail_engine::Error;
use bintrail_engine::secret::Secret;
use zeroize::Zeroizing;

use crate::random;
use crate::store::Store;

/// Bytes of the key.
const KEY: usize = 32;

/// What the key's mark is the hash of, beside the key: it tells nothing of what is sealed.
const MARK: &str = "bintrail-console sealing key";

/// The key, and the lock that keeps a second console from the same store.
pub(crate) struct Seal {
    key: RandomizedNonceKey,
    /// Locked while it is open.
    _file: File,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// Reads the key, and makes it where neither it nor anything sealed with it is there.
    pub(crate) fn open(path: &Path, store: &Store) -> Result<Self, Error> {
        let known = store.sealing_mark(None)?;
        let (bytes, file) = match read(path)? {
            Some(found) => found,
            None if known.is_none() => make(path)?,
            None => {
                return Err(Error::Usage(format!(
                    "the key file {} is not there, and the store has passwords that were encrypted with it: bring it \
                     back, or begin with another --console-store",
                    path.display()
                )));
            }
        };
        file.try_lock().map_err(|_| {
            Error::Usage(format!(
                "another bintrail-console --control runs with the key file {}: end it first",
                path.display()
            ))
        })?;
        let mark = random::digest(&format!("{MARK}{}", *Zeroizing::new(random::hex(&*bytes))));
        let kept = store.sealing_mark(Some(&mark))?;
        if kept.as_deref() != Some(&mark) {
            return Err(Error::Usage(format!(
                "the key file {} is not the one that the store's passwords were encrypted with: bring that one back, or \
                 begin with another --console-store",
                path.display()
            )));
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, &*bytes)
            .map_err(|_| Error::Internal("AES-256-GCM takes no key".to_owned()))?;
        Ok(Self { key, _file: file })
    }

    /// Encrypts what belongs to a server, and to no other.
    pub(crate) fn seal(&self, server_id: &str, text: &str) -> Result<Vec<u8>, Error> {
        let mut sealed = text.as_bytes().to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(server_id.as_bytes()), &mut sealed)
            .map_err(|_| Error::Internal("the password cannot be encrypted".to_owned()))?;
        let mut whole = nonce.as_ref().to_vec();
        whole.append(&mut sealed);
        Ok(whole)
    }

    pub(crate) fn open_sealed(&self, server_id: &str, sealed: &[u8]) -> Result<Secret, Error> {
        let wrong = || {
            Error::Usage(format!(
                "the password of {server_id} cannot be decrypted: set it anew"
            ))
        };
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut text = Zeroizing::new(rest.to_vec());
        let text = self
            .key
            .open_in_place(nonce, Aad::from(server_id.as_bytes()), &mut text)
            .map_err(|_| wrong())?;
        std::str::from_utf8(text)
            .map(Secret::new)
            .map_err(|_| wrong())
    }
}

type Key = Zeroizing<[u8; KEY]>;

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = PathBuf::from(path);
    move |error| Error::File {
        path: path.clone(),
        error,
    }
}

fn read(path: &Path) -> Result<Option<(Key, File)>, Error> {
    let unreadable = unreadable(path);
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(&unreadable)?,
    };
    let metadata = file.metadata().map_err(&unreadable)?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Error::Usage(format!(
            "{0} is the key to the passwords, and others may read it: chmod 600 {0}",
            path.display()
        )));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY + 1));
    (&mut file)
        .take(KEY as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(&unreadable)?;
    let key: [u8; KEY] = bytes.as_slice().try_into().map_err(|_| {
        Error::Usage(format!(
            "{} is no key file: it has {KEY} bytes, and nothing else",
            path.display()
        ))
    })?;
    Ok(Some((Zeroizing::new(key), file)))
}

fn make(path: &Path) -> Result<(Key, File), Error> {
    let unreadable = unreadable(path);
    let key = Zeroizing::new(random::bytes()?);
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(&unreadable)?;
    file.write_all(&*key).map_err(&unreadable)?;
    // Without it, what is sealed is lost.
    file.sync_all().map_err(&unreadable)?;
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        File::open(parent)
            .and_then(|parent| parent.sync_all())
            .map_err(&unreadable)?;
    }
    Ok((key, file))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::store::tests::store;

    fn place() -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        std::env::temp_dir().join(format!(
            "bintrail-console-key-{}-{next}",
            std::process::id()
        ))
    }

    #[test]
    fn what_is_sealed_opens_for_its_server_alone() {
        let path = place();
        let store = store();
        let seal = Seal::open(&path, &store).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let sealed = seal.seal("shop", "s3cret ü").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"s3cret"));
        assert_ne!(sealed, seal.seal("shop", "s3cret ü").unwrap());
        let open = |id, sealed: &[u8]| seal.open_sealed(id, sealed);
        assert_eq!(open("shop", &sealed).unwrap().expose(), "s3cret ü");
        assert!(open("other", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert!(open("shop", &broken).is_err());
        }
        assert!(open("shop", &[]).is_err() && open("shop", &sealed[..11]).is_err());
        // A second console keeps away; the next one reads what this one wrote.
        assert!(Seal::open(&path, &store).is_err());
        drop(seal);
        let seal = Seal::open(&path, &store).unwrap();
        assert_eq!(
            seal.open_sealed("shop", &sealed).unwrap().expose(),
            "s3cret ü"
        );
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_key_that_is_lost_or_another_is_told() {
        let path = place();
        let store = store();
        let said = |store: &Store| Seal::open(&path, store).unwrap_err().to_string();
        drop(Seal::open(&path, &store).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(said(&store).contains("is not there"));
        assert!(!path.exists());
        std::fs::write(&path, [7; KEY]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(said(&store).contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(said(&store).contains("is not the one"));
        std::fs::write(&path, [7; KEY + 1]).unwrap();
        assert!(said(&store).contains("no key file"));
        std::fs::remove_file(path).unwrap();
    }
}
