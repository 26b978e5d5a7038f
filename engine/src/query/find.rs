//! Where transactions are that are known by their GTID or their time.

use super::statements::{Statements, select};
use super::{Question, Segment};
use crate::index::read::Value;
use crate::index::{Index, Result};

/// Transactions looked through for the next one of the same origin.
const NEAR: usize = 64;

const NONE: Segment = Segment { from: 0, to: 0 };

/// The ids of the rows of the transaction with this GTID.
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
) -> Result<Segment> {
    if let Some(found) = by_halving(index, statements, covered, gtid).await? {
        return Ok(found);
    }
    let ids = covered.to.saturating_sub(covered.from);
    if ids > many {
        tracing::warn!(
            "this GTID is not where its number says: the transactions of up to {ids} row changes are looked at"
        );
    }
    let from = statements.transactions();
    let scan = select(
        format!(
            "SELECT transaction_id, row_count FROM {from} WHERE transaction_id >= ? \
             AND transaction_id < ? AND gtid = ? ORDER BY transaction_id LIMIT 1"
        ),
        vec![
            Value::Number(covered.from),
            Value::Number(covered.to),
            Value::Text(gtid.to_owned()),
        ],
    );
    match index.read_again(scan, usize::MAX).await?.rows.pop() {
        None => Ok(NONE),
        Some(mut cells) => of_transaction(cells.a_number(0)?, cells.a_number(1)?),
    }
}

fn of_transaction(from: u64, count: u64) -> Result<Segment> {
    Ok(Segment {
        from,
        to: from.saturating_add(count),
    })
}

async fn by_halving(
    index: &Index,
    statements: Statements,
    covered: Segment,
    gtid: &str,
) -> Result<Option<Segment>> {
    let Some((origin, wanted)) = parts(gtid) else {
        return Ok(None);
    };
    let from = statements.transactions();
    let sql = format!(
        "SELECT transaction_id, row_count, gtid FROM {from} WHERE transaction_id >= ? \
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
            let id: u64 = cells.a_number(0)?;
            let count: u64 = cells.a_number(1)?;
            let Some(gtid) = cells.text(2)? else { continue };
            if let Some((other, number)) = parts(&gtid)
                && other == origin
            {
                next = Some((id, count, number));
                break;
            }
        }
        match next {
            Some((id, count, number)) if number == wanted => {
                return of_transaction(id, count).map(Some);
            }
            Some((id, count, number)) if number < wanted => from = id.saturating_add(count),
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

/// The ids among which are all rows of a time range. Commit times nearly rise with the ids, but clocks are set:
/// there may be others among them. Of a source that is alone in the index all ids need no bounds.
pub(super) async fn time(
    index: &Index,
    statements: Statements,
    covered: Segment,
    question: &Question,
    alone: bool,
) -> Result<Segment> {
    let ends = statements.ends_of_time((!alone).then_some(covered), question);
    let Some(mut cells) = index.read_again(ends, usize::MAX).await?.rows.pop() else {
        return Ok(NONE);
    };
    let (Some(first), Some(last)) = (cells.number::<u64>(0)?, cells.number::<u64>(1)?) else {
        return Ok(NONE);
    };
    let from = statements.transactions();
    let rows = select(
        format!("SELECT row_count FROM {from} WHERE transaction_id = ?"),
        vec![Value::Number(last)],
    );
    let found = index.read_again(rows, usize::MAX).await?.rows.pop();
    let count: u64 = found.map_or(Ok(1), |mut cells| cells.a_number(0))?;
    Ok(Segment {
        from: first.max(covered.from),
        to: last.saturating_add(count).min(covered.to),
    })
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
