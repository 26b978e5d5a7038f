use arbitrary::{Result, Unstructured};
use bintrail_proto::binlog::json_diff::{JsonDiffs, Operation, Patcher};
use bintrail_proto::binlog::jsonb::{Jsonb, Style};
use serde_json::Value;

use crate::document::{Document, same, text};

/// Changes of documents: those that are made up come out as a plain tree does, and any bytes end in an error or a
/// bounded document.
///
/// Input: flags (1 any bytes), and what the document and its changes are made of.
pub fn json_diff(data: &[u8]) {
    let [flags, rest @ ..] = data else { return };
    if flags & 1 == 0 {
        // An error means that the bytes are used up.
        let _ = made_up(&mut Unstructured::new(rest));
    } else {
        any(rest);
    }
}

/// Input: the document's length, the document, and its changes.
fn any(data: &[u8]) {
    let [len, rest @ ..] = data else { return };
    let (document, changes) = rest.split_at(usize::from(*len).min(rest.len()));
    let diffs = JsonDiffs::new(changes);
    let mut read = 0;
    for diff in diffs.iter() {
        match diff {
            Ok(diff) => {
                for leg in diff.path.legs() {
                    if let Err(error) = leg {
                        super::check_error(&error, diff.path.as_str().len());
                    }
                }
                assert_eq!(diff.value.is_none(), diff.operation == Operation::Remove);
                read += 1;
            }
            Err(error) => super::check_error(&error, changes.len()),
        }
    }
    assert!(read <= changes.len());
    let mut out = b"before".to_vec();
    let applied = Patcher::default().apply(Jsonb::new(document), diffs, &mut out);
    let patched = out.split_off(b"before".len());
    assert_eq!(out, b"before");
    match applied {
        // A key or value takes at most twice as much in the large format.
        Ok(()) => assert!(patched.len() <= 16 + 3 * (document.len() + changes.len())),
        Err(_) => assert!(patched.is_empty()),
    }
}

enum Leg {
    Member(String),
    Cell(usize),
    FromEnd(usize),
}

fn made_up(u: &mut Unstructured<'_>) -> Result<()> {
    let mut document = Document::arbitrary(u, 6)?;
    let encoded = document.encode();
    let mut changes = Vec::new();
    let mut fits = true;
    let count = u.int_in_range(0..=6)?;
    for _ in 0..count {
        let operation = u.int_in_range(0..=2)?;
        let legs = path(u, &document)?;
        let value = (operation != 2)
            .then(|| Document::arbitrary(u, 3))
            .transpose()?;
        changes.push(operation);
        put(&mut changes, written(u, &legs)?.as_bytes());
        if let Some(value) = &value {
            put(&mut changes, &value.encode());
        }
        fits = fits && apply(&mut document, operation, &legs, value);
    }
    let (document_before, diffs) = (Jsonb::new(&encoded), JsonDiffs::new(&changes));
    assert_eq!(
        diffs.iter().filter(std::result::Result::is_ok).count(),
        count
    );
    let mut patcher = Patcher::default();
    for _ in 0..2 {
        // The second time with what the first has left.
        let mut out = Vec::new();
        let applied = patcher.apply(document_before, diffs, &mut out);
        assert_eq!(applied.is_ok(), fits, "{applied:?}");
        if fits {
            let mut json = Vec::new();
            Jsonb::new(&out)
                .write_json(Style::Compact, &mut json)
                .unwrap();
            let read: Value = serde_json::from_slice(&json).unwrap();
            let expected = document.to_value();
            assert!(same(&expected, &read), "{expected} {read}");
        }
    }
    Ok(())
}

/// A path that is often one into the document.
fn path(u: &mut Unstructured<'_>, document: &Document) -> Result<Vec<Leg>> {
    let mut legs = Vec::new();
    let mut at = Some(document);
    while legs.len() < 6 && u.ratio(4, 5)? {
        let leg = match at {
            Some(Document::Object(members, _)) if !members.is_empty() && u.ratio(4, 5)? => {
                let (key, value) = &members[u.choose_index(members.len())?];
                at = Some(value);
                Leg::Member(key.clone())
            }
            Some(Document::Array(items, _)) => {
                let index = u.int_in_range(0..=items.len())?;
                at = items.get(index);
                if u.ratio(1, 4)? {
                    let back = u.int_in_range(0..=items.len())?;
                    at = items.len().checked_sub(back + 1).map(|index| &items[index]);
                    Leg::FromEnd(back)
                } else {
                    Leg::Cell(index)
                }
            }
            Some(Document::Object(..)) => {
                at = None;
                Leg::Member(text(u, 12)?)
            }
            _ => {
                at = None;
                match u.arbitrary()? {
                    true => Leg::Member(text(u, 3)?),
                    false => Leg::Cell(u.int_in_range(0..=2)?),
                }
            }
        };
        legs.push(leg);
    }
    Ok(legs)
}

/// The path as the server writes it, or might.
fn written(u: &mut Unstructured<'_>, legs: &[Leg]) -> Result<String> {
    let mut path = "$".to_owned();
    for leg in legs {
        match leg {
            Leg::Cell(index) => path.push_str(&format!("[{index}]")),
            Leg::FromEnd(0) => path.push_str("[last]"),
            Leg::FromEnd(back) => path.push_str(&format!("[last-{back}]")),
            Leg::Member(name) => {
                let plain = name.chars().all(char::is_alphabetic) && !name.is_empty();
                path.push('.');
                if plain && u.arbitrary()? {
                    path.push_str(name);
                } else {
                    path.push_str(&Value::from(name.as_str()).to_string());
                }
            }
        }
    }
    Ok(path)
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        len @ 0..=250 => out.push(len as u8),
        len => {
            out.push(0xFD);
            out.extend_from_slice(&len.to_le_bytes()[..3]);
        }
    }
    out.extend_from_slice(bytes);
}

/// Makes the change in the tree; `false` when it does not fit.
fn apply(document: &mut Document, operation: u8, legs: &[Leg], value: Option<Document>) -> bool {
    let Some((last, way)) = legs.split_last() else {
        return false;
    };
    let mut parent = document;
    for leg in way {
        let Some(next) = child(parent, leg) else {
            return false;
        };
        parent = next;
    }
    match (operation, value) {
        (0, Some(value)) => match child(parent, last) {
            Some(old) => *old = value,
            None => return false,
        },
        (1, Some(value)) => match (parent, last) {
            (Document::Object(members, _), Leg::Member(name)) => {
                if members.iter().any(|(key, _)| key == name) {
                    return false;
                }
                members.push((name.clone(), value));
                members.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
            }
            (Document::Array(items, _), Leg::Cell(index)) => {
                items.insert((*index).min(items.len()), value);
            }
            (Document::Array(items, _), Leg::FromEnd(back)) => {
                items.insert(items.len().saturating_sub(back + 1), value);
            }
            _ => return false,
        },
        _ => match (parent, last) {
            (Document::Object(members, _), Leg::Member(name)) => {
                let before = members.len();
                members.retain(|(key, _)| key != name);
                return members.len() < before;
            }
            (Document::Array(items, _), leg) => match place(items.len(), leg) {
                Some(index) => drop(items.remove(index)),
                None => return false,
            },
            _ => return false,
        },
    }
    true
}

fn place(len: usize, leg: &Leg) -> Option<usize> {
    match leg {
        Leg::Cell(index) => Some(*index).filter(|index| *index < len),
        Leg::FromEnd(back) => len.checked_sub(back + 1),
        Leg::Member(_) => None,
    }
}

fn child<'d>(parent: &'d mut Document, leg: &Leg) -> Option<&'d mut Document> {
    match (parent, leg) {
        (Document::Object(members, _), Leg::Member(name)) => {
            let mut members = members.iter_mut();
            members.find(|(key, _)| key == name).map(|(_, value)| value)
        }
        (Document::Array(items, _), leg) => {
            let index = place(items.len(), leg)?;
            items.get_mut(index)
        }
        _ => None,
    }
}
