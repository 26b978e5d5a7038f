//! Text that no log, error or `Debug` output may show.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// More than any password has: what is longer is another kind of file.
const MAX_FILE: u64 = 64 * 1024;

/// A password or another secret: wiped when dropped, and printed as `***`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The first line of a file, without its line break. Warns when everyone on the machine may read it.
    ///
    /// # Errors
    /// The file cannot be read, is longer than 64 KiB or is not UTF-8, or its first line is empty.
    pub fn read_file(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        warn_if_public(path, &file);
        Self::first_line(file)
    }

    /// The same, without the warning: for what was read before.
    pub(crate) fn read_again(path: &Path) -> io::Result<Self> {
        Self::first_line(File::open(path)?)
    }

    fn first_line(file: File) -> io::Result<Self> {
        let invalid = |why| Err(io::Error::new(io::ErrorKind::InvalidData, why));
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_FILE + 1).read_to_string(&mut text)?;
        if u64::try_from(text.len()).is_ok_and(|len| len > MAX_FILE) {
            return invalid(
                "it is longer than 64 KiB: a password file holds the password in its first line",
            );
        }
        match text.lines().next() {
            None | Some("") => invalid("its first line is empty, where the password should be"),
            Some(line) => Ok(Self::new(line)),
        }
    }

    /// The text itself. Whoever asks for it answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(unix)]
fn warn_if_public(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt;
    let public = file
        .metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o004 != 0);
    if public {
        tracing::warn!(
            "everyone on this machine may read the password in {0}: chmod 600 {0}",
            path.display()
        );
    }
}

#[cfg(not(unix))]
fn warn_if_public(_: &Path, _: &File) {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_file() {
        let path = std::env::temp_dir().join(format!("bintrail-secret-{}", std::process::id()));
        let read = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            Secret::read_file(&path).map(|secret| secret.expose().to_owned())
        };
        assert_eq!(read(b"hunter2").unwrap(), "hunter2");
        assert_eq!(read(b" two words \r\nmore\n").unwrap(), " two words ");
        for bad in [&b""[..], b"\nhunter2\n", b"\xff\n", &[b'x'; 70_000]] {
            assert_eq!(read(bad).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            Secret::read_file(&path).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn prints_stars() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret} {secret:?} {:#?}", Some(&secret)).find("hunter2"),
            None
        );
        assert_eq!(format!("{secret}"), "***");
        assert_eq!(secret.expose(), "hunter2");
    }
}
