//! Gaps that somebody has taken note of.
//!
//! What the index says of its gaps ends then with when that was: it stays what it is, and what is lost later is written
//! behind it, so that it needs to be taken note of again.

use crate::clock::rfc3339;
use crate::index::{Index, Result};

const BEGIN: &str = " (acknowledged ";
const END: &str = ")";

/// When the gaps were taken note of, unless there is one since then.
#[must_use]
pub(crate) fn acknowledged_at(detail: &str) -> Option<&str> {
    let (_, time) = detail.strip_suffix(END)?.rsplit_once(BEGIN)?;
    // The end of a time, and not of something else in brackets.
    (time.ends_with('Z') && !time.contains(' ')).then_some(time)
}

/// Takes note of the gaps of all sources: they are shown still, and are no reason to act any more.
///
/// # Errors
/// When the index cannot be read or written.
pub async fn acknowledge(index: &Index) -> Result<()> {
    for status in index.statuses().await? {
        let Some((_, detail)) = status.state.gap_lost else {
            continue;
        };
        if acknowledged_at(&detail).is_none() {
            let now = rfc3339(crate::clock::now());
            let noted = format!("{detail}{BEGIN}{now}{END}");
            index
                .acknowledge_gap(status.source_id, &detail, &noted)
                .await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_gap_tells() {
        let time = "2026-11-25T14:00:00.000000Z";
        let noted = format!("purged: 5 transactions (acknowledged {time})");
        assert_eq!(acknowledged_at(&noted), Some(time));
        assert_eq!(acknowledged_at("purged: 5 transactions"), None);
        let later = format!("{noted} (found {time}); purged: 6 transactions");
        assert_eq!(acknowledged_at(&later), None);
        let found = format!("{noted} (found {time})");
        assert_eq!(acknowledged_at(&found), None);
    }
}
