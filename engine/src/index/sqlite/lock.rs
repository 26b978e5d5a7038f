//! The locks that keep a second writer of a source away: files beside the index.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::error::{ErrorKind, IndexError};

/// How often and for how long to wait for a lock that somebody may only be looking at.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(20);

/// The file whose lock the one writer for a source has.
pub(super) fn lock_path(path: &Path, source_id: u32) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(format!(".source-{source_id}.lock"));
    path.into()
}

/// Takes the lock of a file, or says who has it. The file stays when the lock goes: deleting it
/// would let two processes lock two files of the same name.
pub(super) fn take_lock(path: &Path) -> io::Result<Result<File, String>> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let mut locked = file.try_lock();
    // Whoever only looks has it for an instant.
    for _ in 0..LOOKS {
        if matches!(locked, Err(TryLockError::WouldBlock)) {
            std::thread::sleep(LOOK);
            locked = file.try_lock();
        }
    }
    match locked {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(error),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only to name it: it may not be written yet.
            let _ = file.take(20).read_to_string(&mut holder);
            return Ok(Err(match holder.trim() {
                "" => "another process".to_owned(),
                pid => format!("process {pid}"),
            }));
        }
    }
    file.set_len(0)?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())?;
    Ok(Ok(file))
}

pub(super) fn cannot_lock(path: &Path, error: &io::Error) -> IndexError {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorKind::AccessDenied,
        io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        io::ErrorKind::StorageFull => ErrorKind::Full,
        _ => ErrorKind::Other,
    };
    IndexError::new(
        kind,
        format!(
            "cannot lock {}, which keeps a second stream away: {error}",
            path.display()
        ),
    )
}
