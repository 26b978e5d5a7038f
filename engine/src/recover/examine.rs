//! Looks, and changes nothing: is every row of the target as it should be?
//!
//! A row that several changes are about is looked at for the first of them; what it is for the next ones follows.
//! So 64 bytes or so are kept for each row.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::along::Item;
use super::conflict::{Conflict, Conflicts, What};
use super::kind::Kind;
use super::literal::Refusal;
use super::plan::{Action, Plan, Work};
use super::summary::count_of;
use super::target::Target;
use super::{OnConflict, Options};
use crate::error::Error;
use crate::json;
use crate::query::Change;
use crate::source::server::text;

/// Rows that one question is about.
const AT_ONCE: usize = 100;

/// Columns named in a conflict, and characters of their values.
const NAMED: usize = 3;
const SHOWN: usize = 60;

/// The rows gone through so far.
#[derive(Debug)]
pub(super) struct Scene {
    options: Options,
    /// Rows by their keys.
    rows: HashMap<u128, State>,
    /// Rows without a key: how many there are of each, by all their values.
    alike: HashMap<u128, i64>,
    pub(super) conflicts: Conflicts,
}

/// What a row is by now.
#[derive(Debug, Clone, Copy)]
struct State {
    table_id: u32,
    /// Its values; `None` when it is not there.
    values: Option<u128>,
}

/// A row change, and what it is about.
struct Step<'c> {
    change: &'c Change,
    plan: &'c Plan,
    work: Work<'c>,
    /// The row that should be there.
    from: Option<u128>,
    /// The key that should be free.
    to: Option<u128>,
    by_server: bool,
}

/// A question: how many rows meet a condition?
struct Probe<'p> {
    plan: &'p Plan,
    condition: String,
}

/// What was asked about a row: whether it is there as it should be, or whether its key is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Asked {
    There,
    Taken,
}

/// The answers of a page.
type Known = HashMap<(u128, Asked), u64>;

impl Scene {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            rows: HashMap::new(),
            alike: HashMap::new(),
            conflicts: Conflicts::default(),
        }
    }

    /// Goes on with a page of row changes.
    pub(super) async fn page(
        &mut self,
        page: &[Item],
        plans: &HashMap<u32, Plan>,
        target: &mut Target,
    ) -> Result<(), Error> {
        let mut steps = Vec::with_capacity(page.len());
        for item in page {
            let change = &item.change;
            let Some(plan) = plans.get(&change.table_id) else {
                continue;
            };
            if let Some(work) = plan.work(change, self.options.redo).map_err(refused)? {
                steps.push(Step {
                    by_server: item.by_server,
                    ..Step::new(change, plan, work)
                });
            }
        }
        // What is not known of them yet.
        let mut probes = Vec::new();
        let mut asked = HashSet::new();
        for step in &steps {
            if let Some(from) = step
                .from
                .filter(|row| !self.knows(step.plan, row) && asked.insert(*row))
            {
                probes.push(((from, Asked::There), step.is_there()?));
            }
            if let Some(to) = step
                .to
                .filter(|row| !self.knows(step.plan, row) && asked.insert(*row))
            {
                let asked = if step.plan.has_key {
                    Asked::Taken
                } else {
                    Asked::There
                };
                probes.push(((to, asked), step.is_taken()?));
            }
        }
        let counts = count(&probes, target).await?;
        let mut known: Known = probes.iter().map(|(row, _)| *row).zip(counts).collect();
        for step in &steps {
            let conflict = if step.plan.has_key {
                self.step(step, &mut known, target).await?
            } else {
                self.step_without_key(step, &known)
            };
            if let Some(what) = conflict.filter(|_| !step.by_server) {
                self.conflicts.add(step.conflict(what));
            }
        }
        Ok(())
    }

    fn knows(&self, plan: &Plan, row: &u128) -> bool {
        if plan.has_key {
            self.rows.contains_key(row)
        } else {
            self.alike.contains_key(row)
        }
    }

    /// What is in the way of it, if anything. `known` are the answers of this page, good for the first look at a row.
    async fn step(
        &mut self,
        step: &Step<'_>,
        known: &mut Known,
        target: &mut Target,
    ) -> Result<Option<What>, Error> {
        let table_id = step.change.table_id;
        let mut what = None;
        if let Some(from) = step.from {
            let values = digest(step.plan, &step.work.found);
            let as_expected = match self.rows.get(&from) {
                // Another definition has other values; what leads from one to the next is no change of the row.
                Some(state) if state.table_id != table_id => state.values.is_some(),
                Some(state) => state.values == Some(values),
                None => match known.remove(&(from, Asked::There)) {
                    Some(count) => count > 0,
                    None => one(step.is_there()?, target).await? > 0,
                },
            };
            if !as_expected {
                what = Some(match self.rows.get(&from) {
                    Some(_) => What::Between,
                    None if self.conflicts.has_room() => {
                        differs(step.plan, &step.work, target).await?
                    }
                    None => What::Untold,
                });
            }
        }
        if let Some(to) = step.to.filter(|_| what.is_none()) {
            what = match self.rows.get(&to) {
                Some(state) => state.values.map(|_| What::Brought),
                None => {
                    let count = match known.remove(&(to, Asked::Taken)) {
                        Some(count) => count,
                        None => one(step.is_taken()?, target).await?,
                    };
                    let taken = count > 0 && !self.is_gone(step, target).await?;
                    taken.then_some(What::Taken)
                }
            };
        }
        if what.is_some() && step.by_server {
            // What it is by then the next look shows.
            return Ok(None);
        }
        // In its place stays what is there.
        if what.is_none() || self.options.on_conflict != OnConflict::Skip {
            if let Some(from) = step.from {
                self.rows.insert(
                    from,
                    State {
                        table_id,
                        values: None,
                    },
                );
            }
            if step.work.action != Action::Delete
                && let Some(to) = step.to.or(step.from)
            {
                let values = Some(digest(step.plan, &step.work.wanted));
                self.rows.insert(to, State { table_id, values });
            }
        }
        Ok(what)
    }

    /// The same for a row without a key; the page has asked for all that was not known.
    fn step_without_key(&mut self, step: &Step<'_>, known: &Known) -> Option<What> {
        for row in [step.from, step.to].into_iter().flatten() {
            let count = known.get(&(row, Asked::There)).copied().unwrap_or(0);
            self.alike
                .entry(row)
                .or_insert(i64::try_from(count).unwrap_or(i64::MAX));
        }
        if let Some(from) = step.from {
            let left = self.alike.entry(from).or_default();
            if *left < 1 {
                return Some(What::NoneAlike);
            }
            *left = left.saturating_sub(1);
        }
        if let Some(to) = step.to {
            let count = self.alike.entry(to).or_default();
            *count = count.saturating_add(1);
        }
        None
    }

    /// Its key is taken: by a row of another spelling, to the key's collation the same, that is gone by then?
    async fn is_gone(&self, step: &Step<'_>, target: &mut Target) -> Result<bool, Error> {
        let plan = step.plan;
        let texts: Vec<_> = plan
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.key && matches!(column.kind, Kind::Text(_)))
            .collect();
        if texts.is_empty() {
            return Ok(false);
        }
        let columns: Vec<String> = texts
            .iter()
            .map(|(_, column)| format!("CONVERT({} USING utf8mb4)", column.quoted))
            .collect();
        let mut sql = format!("SELECT {} FROM {} WHERE ", columns.join(", "), plan.name);
        plan.loose_key(&mut sql, &step.work.wanted)
            .map_err(refused)?;
        let rows = target.query(&sql).await?;
        for row in &rows.rows {
            let spelled: Vec<String> = (0..texts.len())
                .map(|at| {
                    let mut spelled = Vec::new();
                    json::write_string(&mut spelled, &text(row, at).unwrap_or_default());
                    String::from_utf8_lossy(&spelled).into_owned()
                })
                .collect();
            let mut values = step.work.wanted.clone();
            for ((at, _), spelled) in texts.iter().zip(&spelled) {
                if let Some(value) = values.get_mut(*at) {
                    *value = Some(spelled);
                }
            }
            let other = self.rows.get(&key(plan, &values));
            if other.is_none_or(|state| state.values.is_some()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl<'c> Step<'c> {
    fn new(change: &'c Change, plan: &'c Plan, work: Work<'c>) -> Self {
        let row = |values: &[Option<&str>]| match (values.is_empty(), plan.has_key) {
            (true, _) => None,
            (false, true) => Some(key(plan, values)),
            (false, false) => Some(digest(plan, values)),
        };
        let (from, to) = (row(&work.found), row(&work.wanted));
        Self {
            change,
            plan,
            from,
            to: to.filter(|_| from != to),
            work,
            by_server: false,
        }
    }

    fn is_there(&self) -> Result<Probe<'c>, Error> {
        let mut condition = String::new();
        let values = if self.work.found.is_empty() {
            &self.work.wanted
        } else {
            &self.work.found
        };
        self.plan
            .condition(&mut condition, values, false)
            .map_err(refused)?;
        Ok(Probe {
            plan: self.plan,
            condition,
        })
    }

    /// Is there a row in the place where it is to be?
    fn is_taken(&self) -> Result<Probe<'c>, Error> {
        let mut condition = String::new();
        if !self.plan.has_key {
            self.plan
                .condition(&mut condition, &self.work.wanted, false)
                .map_err(refused)?;
        } else {
            self.plan
                .loose_key(&mut condition, &self.work.wanted)
                .map_err(refused)?;
            if !self.work.found.is_empty() {
                // Not itself, when its key is but spelled otherwise.
                condition.push_str(" AND NOT (");
                self.plan
                    .loose_key(&mut condition, &self.work.found)
                    .map_err(refused)?;
                condition.push(')');
            }
        }
        Ok(Probe {
            plan: self.plan,
            condition,
        })
    }

    fn conflict(&self, what: What) -> Conflict {
        conflict(self.change, what)
    }
}

pub(super) fn conflict(change: &Change, what: What) -> Conflict {
    Conflict {
        table: format!("{}.{}", change.table.schema, change.table.table),
        key: change.pk_values.clone(),
        change_id: change.change_id,
        what,
    }
}

/// What is there in place of the row that should be.
pub(super) async fn differs(
    plan: &Plan,
    work: &Work<'_>,
    target: &mut Target,
) -> Result<What, Error> {
    if work.action == Action::Insert {
        return Ok(What::Taken);
    }
    if !plan.has_key {
        return Ok(What::NoneAlike);
    }
    let mut asked = Vec::new();
    let mut cells = Vec::new();
    for (column, value) in plan.columns.iter().zip(&work.found) {
        let Some(value) = value.filter(|_| !column.generated) else {
            continue;
        };
        let mut condition = String::new();
        super::condition::write_condition(
            &mut condition,
            &column.quoted,
            &column.kind,
            value,
            false,
        )
        .map_err(|refusal| refused(super::plan::of_column(column, &refusal)))?;
        let shown = match column.kind {
            Kind::Number => format!("{} + 0", column.quoted),
            Kind::Binary | Kind::Opaque => format!("LEFT(HEX({}), {SHOWN})", column.quoted),
            _ => format!("LEFT(CONVERT({} USING utf8mb4), {SHOWN})", column.quoted),
        };
        cells.push(format!("{condition}, {shown}"));
        asked.push((column, value));
    }
    let mut sql = format!("SELECT {} FROM {} WHERE ", cells.join(", "), plan.name);
    plan.condition(&mut sql, &work.found, true)
        .map_err(refused)?;
    let rows = target.query(&sql).await?;
    let Some(row) = rows.rows.first() else {
        return Ok(What::Missing);
    };
    let mut differ = Vec::new();
    for (at, (column, value)) in asked.iter().enumerate() {
        let at = at.saturating_mul(2);
        if text(row, at).as_deref() == Some("1") {
            continue;
        }
        let found = text(row, at.saturating_add(1)).unwrap_or_else(|| "NULL".to_owned());
        let shown: String = value.chars().take(SHOWN).collect();
        differ.push(format!("{} is {found} and should be {shown}", column.name));
    }
    let more = differ.len().saturating_sub(NAMED);
    differ.truncate(NAMED);
    if more > 0 {
        differ.push(format!("and {} more", count_of(more as u64, "column")));
    }
    for key in plan.referred.iter().filter(|key| plan.is_left(key, work)) {
        let mut sql = String::new();
        plan.referring(&mut sql, key, work).map_err(refused)?;
        if differ.is_empty() && !target.query(&sql).await?.rows.is_empty() {
            return Ok(What::Other(format!(
                "rows of {}.{} refer to it",
                key.child.0, key.child.1
            )));
        }
    }
    Ok(if differ.is_empty() {
        What::Other("it was changed just now".to_owned())
    } else {
        What::Differs(differ.join(", "))
    })
}

async fn one(probe: Probe<'_>, target: &mut Target) -> Result<u64, Error> {
    let counts = count(&[((), probe)], target).await?;
    Ok(counts.first().copied().unwrap_or(0))
}

/// The rows that meet each condition.
async fn count<T>(probes: &[(T, Probe<'_>)], target: &mut Target) -> Result<Vec<u64>, Error> {
    let mut counts = Vec::with_capacity(probes.len());
    let mut rest = probes;
    while !rest.is_empty() {
        let mut sql = String::new();
        let mut taken = 0_usize;
        for (_, Probe { plan, condition }) in rest.iter().take(AT_ONCE) {
            if taken > 0 && sql.len().saturating_add(condition.len()) > target.longest / 2 {
                break;
            }
            if taken > 0 {
                sql.push_str(" UNION ALL ");
            }
            // The rows of a union come in any order.
            let _ = write!(
                sql,
                "SELECT {taken}, COUNT(*) FROM {} WHERE {condition}",
                plan.name
            );
            taken = taken.saturating_add(1);
        }
        let mut found = vec![0; taken];
        for row in &target.query(&sql).await?.rows {
            let number = |at| text(row, at).and_then(|text| text.parse::<u64>().ok());
            let at = number(0).and_then(|at| usize::try_from(at).ok());
            if let Some(slot) = at.and_then(|at| found.get_mut(at)) {
                *slot = number(1).unwrap_or(0);
            }
        }
        counts.append(&mut found);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(counts)
}

fn refused(refusal: Refusal) -> Error {
    Error::Refused(refusal.into_owned())
}

/// The row that has this key.
pub(super) fn key(plan: &Plan, values: &[Option<&str>]) -> u128 {
    hash(plan, values, true)
}

/// All that a row holds.
fn digest(plan: &Plan, values: &[Option<&str>]) -> u128 {
    hash(plan, values, false)
}

fn hash(plan: &Plan, values: &[Option<&str>], key: bool) -> u128 {
    let mut hash = Sha256::new();
    hash.update(&plan.name);
    for (column, value) in plan.columns.iter().zip(values) {
        if !column.key && (key || column.generated) {
            continue;
        }
        if let Some(value) = value {
            // No JSON text has a zero byte.
            hash.update(&column.name);
            hash.update([0]);
            hash.update(value);
            hash.update([0]);
        }
    }
    let digest = hash.finalize();
    u128::from_be_bytes(digest.first_chunk::<16>().copied().unwrap_or_default())
}
