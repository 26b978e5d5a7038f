//! How far it is.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Survey;

/// How far the indexing of files is, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    began: Option<Instant>,
    /// Bytes of the files that are to be read.
    total: u64,
    /// Of those in front of the file that is read.
    passed: u64,
    /// Where in that it began, and how far it is.
    from: u64,
    at: u64,
    rows: u64,
    files: (usize, usize),
    name: String,
}

/// How far it is at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The file that is read.
    pub file: String,
    /// Its number among the files to be read, from 1, and how many they are.
    pub files: (usize, usize),
    /// Bytes read, and to be read in all.
    pub bytes: (u64, u64),
    /// Row changes that came of them.
    pub rows: u64,
    /// The time that it has taken.
    pub elapsed: Duration,
    /// The time that the rest takes at this rate, once there is one.
    pub left: Option<Duration>,
}

impl Progress {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        // Only numbers to look at.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, files: &[Survey], first: usize, position: u64) {
        let sizes = files.iter().skip(first).map(|file| file.size);
        let mut counted = self.counted();
        *counted = Counted {
            began: Some(Instant::now()),
            total: sizes.sum::<u64>().saturating_sub(position),
            files: (0, files.len().saturating_sub(first)),
            ..Counted::default()
        };
    }

    pub(crate) fn begin_file(&self, name: &str, position: u64) {
        let mut counted = self.counted();
        counted.passed = counted.passed.saturating_add(counted.at - counted.from);
        (counted.from, counted.at) = (position, position);
        counted.files.0 += 1;
        name.clone_into(&mut counted.name);
    }

    pub(crate) fn at(&self, position: u64, rows: u64) {
        let mut counted = self.counted();
        counted.at = position.max(counted.from);
        counted.rows = rows;
    }

    /// How far it is now; `None` before the first file.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let counted = self.counted();
        let elapsed = counted.began?.elapsed();
        if counted.files.0 == 0 {
            return None;
        }
        let read = counted.passed.saturating_add(counted.at - counted.from);
        let rest = counted.total.saturating_sub(read);
        let left = (elapsed.as_millis().saturating_mul(rest.into())).checked_div(read.into());
        Some(Standing {
            file: counted.name.clone(),
            files: counted.files,
            bytes: (read, counted.total.max(read)),
            rows: counted.rows,
            elapsed,
            left: left.and_then(|left| u64::try_from(left).ok().map(Duration::from_millis)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_counted_from_where_it_went_on() {
        let progress = Progress::default();
        assert_eq!(progress.standing(), None);
        {
            let mut counted = progress.counted();
            counted.began = Some(Instant::now() - Duration::from_secs(10));
            counted.total = 4000;
            counted.files = (0, 2);
        }
        progress.begin_file("b.000001", 500);
        let at_once = progress.standing().unwrap();
        assert_eq!((at_once.bytes, at_once.left), ((0, 4000), None));
        progress.at(1000, 7);
        progress.begin_file("b.000002", 4);
        progress.at(504, 9);
        let standing = progress.standing().unwrap();
        assert_eq!(standing.bytes, (1000, 4000));
        assert_eq!((standing.files, standing.rows), ((2, 2), 9));
        assert_eq!(standing.left.unwrap().as_secs(), 30);
    }
}
