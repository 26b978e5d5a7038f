//! Disks that are small or full.

use std::path::{Path, PathBuf};
use std::process::Command;

use bintrail_testkit::Result;

/// A small disk of a test's own, in its own view of the file systems.
pub(crate) struct Disk(PathBuf);

impl Disk {
    pub(crate) fn mount(at: &Path, size: &str) -> Disk {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .status()
            .unwrap();
        assert!(mounted.success());
        Disk(at.to_owned())
    }

    /// Takes all of its room but about `leave` bytes.
    pub(crate) fn fill(&self, leave: u64) {
        let file = self.0.join("fill");
        let filled = Command::new("dd")
            .args(["if=/dev/zero", "bs=64k", "status=none"])
            .arg(format!("of={}", file.display()))
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(!filled.success(), "the disk is not full");
        let file = std::fs::File::options().write(true).open(file).unwrap();
        let size = file.metadata().unwrap().len();
        file.set_len(size - leave).unwrap();
    }

    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.0.join("fill")).unwrap();
    }

    /// Has no more room than about `leave` bytes, without anything in it.
    pub(crate) fn shrink(&self, leave: u64) -> Result<()> {
        let used = Command::new("df")
            .args(["--block-size=1", "--output=used"])
            .arg(&self.0)
            .output()?;
        let used = String::from_utf8(used.stdout)?;
        let used: u64 = used.lines().last().unwrap_or_default().trim().parse()?;
        self.resize(&(used + leave).to_string())
    }

    pub(crate) fn resize(&self, size: &str) -> Result<()> {
        let resized = Command::new("mount")
            .args(["-o", &format!("remount,size={size}")])
            .arg(&self.0)
            .status()?;
        if resized.success() {
            Ok(())
        } else {
            Err(format!("the disk cannot have a size of {size}").into())
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: what still uses it is about to end.
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

/// Has one of the tests below run where it may mount a disk: as root in a mount namespace, or in a user namespace.
pub(crate) fn in_a_namespace(test: &str) {
    let allowed = [vec!["-m"], vec!["-r", "-m"]].into_iter().find(|way| {
        Command::new("unshare")
            .args(way)
            .args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"])
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    });
    let Some(way) = allowed else {
        println!("SKIPPED {test}: no disk can be mounted here (unshare -m mount -t tmpfs)");
        return;
    };
    let status = Command::new("unshare")
        .args(way)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", test])
        .status()
        .unwrap();
    assert!(status.success(), "{test}: {status}");
}
