//! How many row changes there are, and how many come, by their ids: they are consecutive within a source.

use super::Index;
use crate::clock::now;
use crate::index::Result;
use crate::index::read::{Select, Value};
use crate::index::record::{Micros, SourceStatus, change_ids_of};

const MINUTE: Micros = 60_000_000;
const DAY: Micros = 24 * 60 * MINUTE;

/// From fewer row changes, nothing can be told of a whole day, nor of what each of them takes.
pub(super) const ENOUGH: u64 = 1000;

/// Look-ups in a search for a time: as many as an id has bits.
const MAX_STEPS: usize = 48;

/// Numbers of row changes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ids {
    /// In the index.
    pub(super) held: u64,
    /// A second, over the last minute.
    pub(super) a_second: f64,
    /// A day: those of the last 24 hours or, where the index is younger, as many as that makes; `None` for too few
    /// to tell.
    pub(super) a_day: Option<f64>,
}

pub(super) async fn ids(index: &Index, status: &SourceStatus) -> Result<Ids> {
    let end = status.state.next_change_id;
    let Some((first, first_time)) =
        at_or_behind(index, change_ids_of(status.source_id).start, end).await?
    else {
        return Ok(Ids::default());
    };
    let now = now();
    let since = |id: u64| as_f64(end.saturating_sub(id));
    let of_a_minute = since(find(index, first, end, now.saturating_sub(MINUTE)).await?);
    let of_a_day = end.saturating_sub(find(index, first, end, now.saturating_sub(DAY)).await?);
    let age = now.saturating_sub(first_time).clamp(MINUTE, DAY);
    Ok(Ids {
        held: end.saturating_sub(first),
        a_second: (of_a_minute / 60.0 * 1000.0).round() / 1000.0,
        a_day: (of_a_day >= ENOUGH && age >= 5 * MINUTE)
            .then(|| as_f64(of_a_day) * as_f64(DAY.unsigned_abs()) / as_f64(age.unsigned_abs())),
    })
}

/// The first transaction at `time` or later, by bisection: commit times rise with the ids, about. `end` when
/// there is none.
async fn find(index: &Index, first: u64, end: u64, time: Micros) -> Result<u64> {
    let (mut low, mut high) = (first, end);
    for _ in 0..MAX_STEPS {
        if low >= high {
            break;
        }
        let middle = low + (high - low) / 2;
        match at_or_behind(index, middle, high).await? {
            Some((id, committed_at)) if committed_at < time => low = id + 1,
            _ => high = middle,
        }
    }
    Ok(high)
}

/// The first transaction at `id` or behind it and before `end`, and its commit time.
async fn at_or_behind(index: &Index, id: u64, end: u64) -> Result<Option<(u64, Micros)>> {
    let committed_at = match index {
        Index::Sqlite(_) => "committed_at",
        Index::MySql(_) => "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', committed_at)",
    };
    let select = Select {
        sql: format!(
            "SELECT transaction_id, {committed_at} FROM transactions
             WHERE transaction_id >= ? AND transaction_id < ? ORDER BY transaction_id LIMIT 1"
        ),
        values: vec![Value::Number(id), Value::Number(end)],
    };
    let mut rows = index.read(select, usize::MAX).await?.rows;
    match rows.first_mut() {
        None => Ok(None),
        Some(cells) => Ok(Some((cells.a_number(0)?, cells.a_number(1)?))),
    }
}

/// Precise enough for what is only shown.
pub(super) fn as_f64(number: u64) -> f64 {
    let high = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}
