//! Questions about transactions whose ids lie far apart and whose clock went back, answered as reading everything would.

use std::sync::Arc;

use bintrail_engine::index::Index;
use bintrail_engine::index::record::{EventType, XaState};
use bintrail_engine::query::Question;
use bintrail_testkit::workload::Rng;
use sha2::{Digest, Sha256};

use super::{Backend, Builder, T0, ids, source, table};

const BLOCK: u64 = 4096;
const TABLES: [&str; 4] = ["t", "u", "v", "none"];
const SECOND: i64 = 1_000_000;

/// What is known of a row that is to be found.
struct Row {
    id: u64,
    table: usize,
    key: String,
    new_key: Option<String>,
    event_type: EventType,
    connection_id: u32,
    at: i64,
}

fn pick(rng: &mut Rng, count: usize) -> usize {
    usize::try_from(rng.below(count as u64)).unwrap()
}

/// Adds a row with random content to the open transaction.
fn row(builder: &mut Builder, rng: &mut Rng, connection_id: u32) -> Row {
    // Nearly all are of the first table: the ways to a large and to a small one differ.
    let table = if rng.below(30) > 0 {
        0
    } else {
        1 + pick(rng, 2)
    };
    let number = u32::try_from(table).unwrap() + 1;
    let key = rng.below(300).to_string();
    let image = Some(r#"{"id":1}"#);
    let (event_type, before, after) = match rng.below(3) {
        0 => (EventType::Insert, None, image),
        1 => (EventType::Update, image, image),
        _ => (EventType::Delete, image, None),
    };
    builder.row(number, Some(&key), before, after);
    let id = builder.next - 1;
    let moves = event_type == EventType::Update && rng.below(4) == 0;
    let new_key = moves.then(|| rng.below(300).to_string());
    let range = builder.text(new_key.as_deref());
    builder.batch.rows.last_mut().unwrap().new_key = new_key
        .as_ref()
        .zip(range)
        .map(|(key, range)| (*Sha256::digest(key).first_chunk().unwrap(), range));
    Row {
        id,
        table,
        key,
        new_key,
        event_type,
        connection_id,
        at: builder.at,
    }
}

/// Writes about 14,000 rows into 120 blocks, with crashes, and tells those that are to be found.
async fn fill(index: &Index, rng: &mut Rng) -> Vec<Row> {
    let one = index.attach(&source("one")).await.unwrap().source_id;
    for name in &TABLES[..3] {
        index
            .register_table(one, &table(name, &["id"]))
            .await
            .unwrap();
    }
    let mut rows = Vec::new();
    let mut builder = Builder::new(1);
    let mut clock = T0;
    for burst in 0..120_u64 {
        builder.next = builder.next.max(burst * 2 * BLOCK + rng.below(BLOCK));
        let start = builder.next;
        // What is lost in a crash comes from another clock, and is not what comes in its place.
        let crashes = burst % 10 == 5;
        for lost in [true, false] {
            if lost && !crashes {
                continue;
            }
            builder.next = start;
            for _ in 0..40 {
                clock += i64::try_from(rng.below(5)).unwrap() * SECOND;
                builder.at = match rng.below(20) {
                    0 => clock - 300 * SECOND,
                    _ if lost => clock + 900 * SECOND,
                    _ => clock,
                };
                let connection_id = u32::try_from(burst / 30 + 10 * rng.below(3)).unwrap();
                let prepared = rng.below(20) == 0;
                for _ in 0..=rng.below(5) {
                    let row = row(&mut builder, rng, connection_id);
                    if !lost && !prepared {
                        rows.push(row);
                    }
                    // Large transactions are written in parts.
                    if rng.below(100) == 0 {
                        index.write(one, builder.take()).await.unwrap();
                    }
                }
                builder.end_as(prepared.then_some(("x", XaState::Prepared)));
                let ended = builder.batch.transactions.last_mut().unwrap();
                ended.connection_id = Some(connection_id);
            }
            if lost {
                let mut batch = std::mem::take(&mut builder.batch);
                if burst % 20 == 5 {
                    // A row that is there already: nothing of the batch will be.
                    let mut again = batch.rows[0].clone();
                    again.change_id = rows[0].id;
                    again.transaction_id = rows[0].id;
                    again.committed_at = rows[0].at;
                    batch.rows.insert(0, again);
                    index.write(one, Arc::new(batch)).await.unwrap_err();
                } else {
                    index.write(one, Arc::new(batch)).await.unwrap();
                }
                index.attach(&source("one")).await.unwrap();
            } else {
                index.write(one, builder.covered()).await.unwrap();
            }
        }
    }
    rows
}

fn ask(rng: &mut Rng, rows: &[Row]) -> Question {
    let mut question = Question {
        newest_first: rng.below(2) == 0,
        limit: (rng.below(2) == 0).then(|| rng.below(300)),
        ..Question::default()
    };
    let one = &rows[pick(rng, rows.len())];
    if rng.below(2) == 0 {
        question.table = Some(TABLES[pick(rng, 4)].to_owned());
    }
    match rng.below(5) {
        0 => question.keys = vec![one.key.clone(), one.new_key.clone().unwrap_or_default()],
        1 => question.connection_id = Some(one.connection_id),
        2 => question.event_types = vec![one.event_type],
        _ => {}
    }
    if rng.below(2) == 0 {
        question.since = Some(one.at + i64::try_from(rng.below(3)).unwrap() - 1);
    }
    if rng.below(2) == 0 {
        let width = [1, SECOND, 100 * SECOND, 10_000 * SECOND][pick(rng, 4)];
        question.until = Some(one.at + width);
    }
    question
}

fn fits(question: &Question, row: &Row) -> bool {
    let name = TABLES[row.table];
    question.table.as_deref().is_none_or(|table| table == name)
        && (question.keys.is_empty()
            || question.keys.contains(&row.key)
            || row
                .new_key
                .as_ref()
                .is_some_and(|key| question.keys.contains(key)))
        && question
            .connection_id
            .is_none_or(|id| id == row.connection_id)
        && (question.event_types.is_empty() || question.event_types.contains(&row.event_type))
        && question.since.is_none_or(|since| row.at >= since)
        && question.until.is_none_or(|until| row.at < until)
}

pub(crate) async fn answers_far_apart(backend: &impl Backend) {
    let index = Index::open(backend.dsn(), true).await.unwrap();
    let mut rng = Rng::new(7);
    let rows = fill(&index, &mut rng).await;
    let mut found = 0;
    let mut ways = std::collections::BTreeSet::new();
    for _ in 0..400 {
        let question = ask(&mut rng, &rows);
        let mut expected: Vec<u64> = rows
            .iter()
            .filter(|row| fits(&question, row))
            .map(|row| row.id)
            .collect();
        if question.newest_first {
            expected.reverse();
        }
        expected.truncate(usize::try_from(question.limit.unwrap_or(u64::MAX)).unwrap());
        let explained = index
            .ask(question.clone())
            .await
            .unwrap()
            .explain()
            .await
            .unwrap();
        // Without the number of keys or of the session.
        let way = explained
            .lines()
            .next()
            .unwrap()
            .replace(|c: char| c.is_ascii_digit(), "");
        ways.insert(way);
        found += expected.len();
        assert_eq!(
            ids(&index, question.clone()).await,
            expected,
            "{question:?}"
        );
    }
    assert!(found > 10_000, "{found}");
    assert_eq!(ways.len(), 5, "{ways:?}");
    index.close().await.unwrap();
}
