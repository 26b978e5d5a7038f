//! JSON documents that a fuzzer makes up, in MySQL's binary form.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Number, Value};

/// A document, as a tree.
#[derive(Debug)]
pub(crate) enum Document {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(String),
    Array(Vec<Self>, bool),
    Object(Vec<(String, Self)>, bool),
}

impl Document {
    /// One of at most `depth` levels.
    pub(crate) fn arbitrary(u: &mut Unstructured<'_>, depth: usize) -> Result<Self> {
        let kinds = if depth == 0 { 5 } else { 7 };
        Ok(match u.int_in_range(0..=kinds)? {
            0 => Self::Null,
            1 => Self::Bool(u.arbitrary()?),
            2 => {
                let (bits, shift): (i64, u8) = u.arbitrary()?;
                Self::Int(bits >> (shift % 64))
            }
            3 => {
                let (bits, shift): (u64, u8) = u.arbitrary()?;
                Self::Uint(bits >> (shift % 64))
            }
            4 => Self::Double(
                Some(u.arbitrary()?)
                    .filter(|n: &f64| n.is_finite())
                    .unwrap_or(0.5),
            ),
            5 => Self::String(text(u, 40)?),
            6 => {
                let large = u.ratio(1, 8)?;
                let count = u.int_in_range(0..=6)?;
                let items = (0..count).map(|_| Self::arbitrary(u, depth - 1));
                Self::Array(items.collect::<Result<_>>()?, large)
            }
            _ => {
                let large = u.ratio(1, 8)?;
                let count = u.int_in_range(0..=6)?;
                let mut members = Vec::new();
                for _ in 0..count {
                    members.push((text(u, 12)?, Self::arbitrary(u, depth - 1)?));
                }
                members.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
                members.dedup_by(|(a, _), (b, _)| a == b);
                Self::Object(members, large)
            }
        })
    }

    /// The document's bytes: a type, and the value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0];
        out[0] = self.put(&mut out);
        out
    }

    /// Appends the value and returns its type.
    fn put(&self, out: &mut Vec<u8>) -> u8 {
        match self {
            Self::Null => literal(0, out),
            Self::Bool(true) => literal(1, out),
            Self::Bool(false) => literal(2, out),
            Self::Int(n) => match (i16::try_from(*n), i32::try_from(*n)) {
                (Ok(n), _) => bytes(5, &n.to_le_bytes(), out),
                (_, Ok(n)) => bytes(7, &n.to_le_bytes(), out),
                _ => bytes(9, &n.to_le_bytes(), out),
            },
            Self::Uint(n) => match (u16::try_from(*n), u32::try_from(*n)) {
                (Ok(n), _) => bytes(6, &n.to_le_bytes(), out),
                (_, Ok(n)) => bytes(8, &n.to_le_bytes(), out),
                _ => bytes(10, &n.to_le_bytes(), out),
            },
            Self::Double(n) => bytes(11, &n.to_le_bytes(), out),
            Self::String(text) => {
                let mut left = text.len();
                while left >= 128 {
                    out.push(left as u8 | 0x80);
                    left >>= 7;
                }
                out.push(left as u8);
                bytes(12, text.as_bytes(), out)
            }
            Self::Array(items, large) => {
                let items: Vec<_> = items.iter().map(|item| (None, item)).collect();
                container(&items, *large, 2, out)
            }
            Self::Object(members, large) => {
                let members: Vec<_> = members.iter().map(|(k, v)| (Some(k.as_str()), v)).collect();
                container(&members, *large, 0, out)
            }
        }
    }

    /// The same document, as a reader of JSON has it.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(is) => Value::Bool(*is),
            Self::Int(n) => Value::from(*n),
            Self::Uint(n) => Value::from(*n),
            Self::Double(n) => Value::Number(Number::from_f64(*n).unwrap()),
            Self::String(text) => Value::from(text.as_str()),
            Self::Array(items, _) => items.iter().map(Self::to_value).collect(),
            Self::Object(members, _) => Value::Object(
                members
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

/// Some text of at most `max` bytes or a bit more.
pub(crate) fn text(u: &mut Unstructured<'_>, max: usize) -> Result<String> {
    let len = u.int_in_range(0..=max)?.min(u.len());
    Ok(String::from_utf8_lossy(u.bytes(len)?).into_owned())
}

/// Do `a` and `b` hold the same? Numbers with a fraction may differ in their last digit, for the
/// reader of `b` does not round them right.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            a == b || (a - b).abs() <= a.abs() * 1e-14 || a.abs() < 1e-300 && b.abs() < 1e-300
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let known = |(key, a): (&String, &Value)| b.get(key).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(known)
        }
        _ => a == b,
    }
}

fn literal(value: u8, out: &mut Vec<u8>) -> u8 {
    bytes(4, &[value], out)
}

fn bytes(kind: u8, value: &[u8], out: &mut Vec<u8>) -> u8 {
    out.extend_from_slice(value);
    kind
}

fn container(items: &[(Option<&str>, &Document)], large: bool, kind: u8, out: &mut Vec<u8>) -> u8 {
    let mut built = Vec::new();
    let width = if large { 4 } else { 2 };
    let put = |built: &mut Vec<u8>, at: usize, n: usize| {
        built[at..at + width].copy_from_slice(&n.to_le_bytes()[..width]);
    };
    let key_entry = if kind == 0 { width + 2 } else { 0 };
    let entries = 2 * width + items.len() * key_entry;
    built.resize(entries + items.len() * (width + 1), 0);
    put(&mut built, 0, items.len());
    for (number, (key, _)) in items.iter().enumerate() {
        let Some(key) = key else { continue };
        let (at, start) = (2 * width + number * key_entry, built.len());
        put(&mut built, at, start);
        built[at + width..at + width + 2].copy_from_slice(&(key.len() as u16).to_le_bytes());
        built.extend_from_slice(key.as_bytes());
    }
    for (number, (_, value)) in items.iter().enumerate() {
        let at = entries + number * (width + 1);
        let mut alone = Vec::new();
        let kind = value.put(&mut alone);
        built[at] = kind;
        let inlined = matches!(kind, 4..=6) || large && matches!(kind, 7 | 8);
        if inlined {
            built[at + 1..=at + alone.len()].copy_from_slice(&alone);
        } else {
            let start = built.len();
            put(&mut built, at + 1, start);
            built.extend_from_slice(&alone);
        }
    }
    if !large && built.len() > 0xFFFF {
        return container(items, true, kind, out);
    }
    let size = built.len();
    put(&mut built, width, size);
    out.extend_from_slice(&built);
    kind + u8::from(large)
}
