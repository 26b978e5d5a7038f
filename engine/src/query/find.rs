//! Where transactions are that are known by their GTID or their time.

use super::statements::{Statements, select};
use super::{Question, Segment};
use crate::index::read::{Cells, Value};
use crate::index::record::Micros;
use crate::index::{Index, Result};

/// Transactions looked through for the next one of the same origin.
const NEAR: usize = 64;

/// What the checkpoint of a source covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Covered {
    pub(super) ids: Segment,
    /// How far a commit time was ever before that of an earlier transaction.
    pub(super) back: Micros,
}

/// The transaction with this GTID.
///
/// There is no index on GTIDs, which would cost every transaction's writing. The numbers of one origin nearly
/// always rise with the ids, so the place is found by halving; only when that leads nowhere are the transactions
/// read one by one.
pub(super) async fn gtid(
    index: &Index,
    statements: Statements,
    covered: Segment,
    gtid: &str,
    many: u64,
) -> Result<Option<Found>> {
    if let Some(found) = by_halving(index, statements, covered, gtid).await? {
        return Ok(Some(found));
    }
    let ids = covered.to.saturating_sub(covered.from);
    if ids > many {
        tracing::warn!(
            "this GTID is not where its number says: the transactions of up to {ids} row changes are looked at"
        );
    }
    let from = statements.found_transactions();
    let scan = select(
        format!(
            "SELECT {from} WHERE transaction_id >= ? \
             AND transaction_id < ? AND gtid = ? ORDER BY transaction_id LIMIT 1"
        ),
        vec![
            Value::Number(covered.from),
            Value::Number(covered.to),
            Value::Text(gtid.to_owned()),
        ],
    );
    let found = index.read_again(scan, usize::MAX).await?.rows.pop();
    found.map(of_transaction).transpose()
}

pub(super) fn of_transaction(mut cells: Cells) -> Result<Found> {
    let from: u64 = cells.a_number(0)?;
    let count: u64 = cells.a_number(1)?;
    Ok(Found {
        ids: Segment {
            from,
            to: from.saturating_add(count),
        },
        committed_at: cells.a_number(2)?,
    })
}

async fn by_halving(
    index: &Index,
    statements: Statements,
    covered: Segment,
    gtid: &str,
) -> Result<Option<Found>> {
    let Some((origin, wanted)) = parts(gtid) else {
        return Ok(None);
    };
    let from = statements.found_transactions();
    let sql = format!(
        "SELECT {from} WHERE transaction_id >= ? \
         AND transaction_id < ? ORDER BY transaction_id LIMIT {NEAR}"
    );
    let Segment { mut from, mut to } = covered;
    while from < to {
        let middle = from.midpoint(to);
        let probe = select(sql.as_str(), vec![Value::Number(middle), Value::Number(to)]);
        let rows = index.read_again(probe, usize::MAX).await?.rows;
        let all = rows.len() < NEAR;
        let mut next = None;
        for mut cells in rows {
            let Some(gtid) = cells.text(3)? else { continue };
            if let Some((other, number)) = parts(&gtid)
                && other == origin
            {
                next = Some((of_transaction(cells)?, number));
                break;
            }
        }
        match next {
            Some((found, number)) if number == wanted => return Ok(Some(found)),
            Some((found, number)) if number < wanted => from = found.ids.to,
            Some(_) => to = middle,
            None if all => to = middle,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// Whose transactions are numbered together, and the number: `uuid[:tag]` of MySQL, the domain of MariaDB.
fn parts(gtid: &str) -> Option<(&str, u64)> {
    if let Some((origin, number)) = gtid.rsplit_once(':') {
        return Some((origin, number.parse().ok()?));
    }
    let (origin, number) = gtid.rsplit_once('-')?;
    let (domain, _server) = origin.split_once('-')?;
    Some((domain, number.parse().ok()?))
}

/// The ids among which are all rows of a time range: there may be others among them.
///
/// Commit times nearly rise with the ids, but clocks are set. The index knows how far a time was ever before that of
/// an earlier transaction, so that halving finds bounds that hold: whatever comes before a transaction
/// that is so much older than `since` is older than `since`, too.
pub(super) async fn time(
    index: &Index,
    statements: Statements,
    covered: Covered,
    question: &Question,
) -> Result<Segment> {
    let mut found = covered.ids;
    if let Some(since) = question.since {
        let mut to = found.to;
        while found.from < to {
            let middle = found.from.midpoint(to);
            match first_from(index, statements, middle, to).await? {
                Some(first) if first.committed_at.saturating_add(covered.back) < since => {
                    found.from = first.ids.to;
                }
                _ => to = middle,
            }
        }
    }
    if let Some(until) = question.until {
        let mut from = found.from;
        while from < found.to {
            let middle = from.midpoint(found.to);
            match first_from(index, statements, middle, found.to).await? {
                Some(first) if first.committed_at.saturating_sub(covered.back) < until => {
                    from = first.ids.to;
                }
                _ => found.to = middle,
            }
        }
        // So far that is where no transaction begins any more: the last one's rows go on up to the next one.
        found.to = first_from(index, statements, found.to, covered.ids.to)
            .await?
            .map_or(covered.ids.to, |next| next.ids.from);
    }
    Ok(found)
}

/// A transaction's ids and when it was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) ids: Segment,
    pub(super) committed_at: Micros,
}

/// The first transaction whose id is in a range.
pub(super) async fn first_from(
    index: &Index,
    statements: Statements,
    from: u64,
    to: u64,
) -> Result<Option<Found>> {
    let first = statements.first_transaction(Segment { from, to });
    let found = index.read_again(first, usize::MAX).await?.rows.pop();
    found.map(of_transaction).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gtid_has_an_origin_and_a_number() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        assert_eq!(parts(&format!("{uuid}:23")), Some((uuid, 23)));
        let tagged = format!("{uuid}:tag");
        assert_eq!(parts(&format!("{tagged}:23")), Some((&*tagged, 23)));
        assert_eq!(parts("0-1-100"), Some(("0", 100)));
        assert_eq!(parts("0-100"), None);
        assert_eq!(parts(&format!("{uuid}:1-5")), None);
    }
}
