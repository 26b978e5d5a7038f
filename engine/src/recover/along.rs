//! Rows that the source changed along with others, by the rules of foreign keys and below its binlog: what they were comes from their
//! own history.

mod walk;

use std::collections::{BTreeSet, HashMap};

use crate::error::Error;
use crate::index::record::EventType;
use crate::json;
use crate::query::{Answer, Change, Image};

pub(super) use walk::find;

/// Rows that went along with the row changes that are asked about.
#[derive(Debug, Default)]
pub(super) struct Along {
    /// By the row change that they went along with.
    rows: HashMap<u64, Vec<Follower>>,
    /// What to know about them, a line each.
    pub(super) notes: BTreeSet<String>,
}

/// A row that went along.
#[derive(Debug, Clone)]
struct Follower {
    /// The row change that left it there last.
    base: u64,
    /// What it got since, below the binlog.
    set: Values,
    what: What,
    /// Undoing the one that it followed brings it back by the same rule.
    by_server: bool,
}

/// Columns and the JSON of their values.
type Values = Vec<(String, String)>;

#[derive(Debug, Clone)]
enum What {
    Gone,
    Got(Values),
}

/// A row change to be undone, or what went along with it.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) change: Change,
    /// It went along with another.
    pub(super) along: bool,
    /// The server undoes it by itself.
    pub(super) by_server: bool,
}

impl From<Change> for Item {
    fn from(change: Change) -> Self {
        Self {
            change,
            along: false,
            by_server: false,
        }
    }
}

impl Along {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Puts behind each of these changes what went along with it.
    pub(super) async fn complete(
        &self,
        answer: &mut Answer<'_>,
        page: Vec<Change>,
    ) -> Result<Vec<Item>, Error> {
        let mut items = Vec::with_capacity(page.len());
        for change in page {
            let followers = self.rows.get(&change.change_id);
            let transaction = change.transaction.clone();
            items.push(Item::from(change));
            for some in followers.into_iter().flat_map(|rows| rows.chunks(AT_ONCE)) {
                let ids: Vec<u64> = some.iter().map(|follower| follower.base).collect();
                let mut bases: HashMap<u64, Change> = answer
                    .of_ids(&ids)
                    .await?
                    .into_iter()
                    .map(|base| (base.change_id, base))
                    .collect();
                for follower in some {
                    let base = bases.remove(&follower.base).ok_or_else(|| {
                        Error::Refused(format!(
                            "row change {} was removed from the index just now: try again",
                            follower.base
                        ))
                    })?;
                    items.push(Item {
                        change: Change {
                            transaction: transaction.clone(),
                            ..follower.change(base)?
                        },
                        along: true,
                        by_server: follower.by_server,
                    });
                }
            }
        }
        Ok(items)
    }
}

/// Images read at once.
const AT_ONCE: usize = 100;

impl Follower {
    /// What happened to it, as if it had been logged.
    fn change(&self, base: Change) -> Result<Change, Error> {
        let left = base.after.as_deref().unwrap_or_default();
        let before = with(left, &self.set)?;
        let (event_type, after) = match &self.what {
            What::Gone => (EventType::Delete, None),
            What::Got(values) => (EventType::Update, Some(with(&before, values)?)),
        };
        Ok(Change {
            event_type,
            pk_values: base.new_key.clone().or_else(|| base.pk_values.clone()),
            new_key: None,
            before: Some(before),
            after,
            ..base
        })
    }
}

/// An image with some values in place of its own.
fn with(image: &str, values: &[(String, String)]) -> Result<String, Error> {
    let parsed = Image::parse(image)
        .map_err(|error| Error::Refused(format!("a row's image cannot be read: {error}")))?;
    let mut out = Vec::with_capacity(image.len());
    for (name, value) in parsed.columns() {
        out.push(if out.is_empty() { b'{' } else { b',' });
        json::write_string(&mut out, name);
        out.push(b':');
        let given = values.iter().find(|(column, _)| column == name);
        out.extend_from_slice(given.map_or(value, |(_, value)| value).as_bytes());
    }
    out.push(b'}');
    Ok(String::from_utf8_lossy(&out).into_owned())
}
