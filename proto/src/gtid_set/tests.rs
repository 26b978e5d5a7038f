//! What the server makes of sets is in `tests/gtid_set.rs`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

type Model = BTreeSet<(u8, u8, u64)>;

fn gtid(uuid: u8, tag: u8, gno: u64) -> Gtid {
    let tag = [&b""[..], b"_z9", b"a", b"ab"][usize::from(tag)];
    Gtid::new(Uuid([uuid; 16]), Tag::new(tag).unwrap(), gno).unwrap()
}

fn set_of(model: &Model) -> GtidSet {
    let mut set = GtidSet::new();
    for &(uuid, tag, gno) in model {
        assert!(set.add(gtid(uuid, tag, gno)));
    }
    set
}

fn member() -> impl Strategy<Value = (u8, u8, u64)> {
    (0..3u8, 0..4u8, 1..24u64)
}

fn model() -> impl Strategy<Value = Model> {
    proptest::collection::btree_set(member(), 0..60)
}

/// The intervals that the model's numbers form, found one by one.
fn runs(model: &Model) -> Vec<(u8, u8, u64, u64)> {
    let mut runs: Vec<(u8, u8, u64, u64)> = Vec::new();
    for &(uuid, tag, gno) in model {
        match runs.last_mut() {
            Some(run) if (run.0, run.1, run.3 + 1) == (uuid, tag, gno) => run.3 = gno,
            _ => runs.push((uuid, tag, gno, gno)),
        }
    }
    runs
}

proptest! {
    #[test]
    fn adds_in_any_order(order in proptest::collection::vec(member(), 0..80)) {
        let mut set = GtidSet::new();
        let mut model = Model::new();
        for one in order {
            prop_assert_eq!(set.add(gtid(one.0, one.1, one.2)), model.insert(one));
        }
        let intervals: Vec<_> = set.intervals().map(|(u, t, i)| (u, t, i.first, i.last)).collect();
        let expected: Vec<_> = runs(&model)
            .into_iter()
            .map(|(u, t, first, last)| {
                let one = gtid(u, t, first);
                (one.uuid(), one.tag(), first, last)
            })
            .collect();
        prop_assert_eq!(intervals, expected);
        for uuid in 0..3 { for tag in 0..4 { for gno in 1..25 {
            prop_assert_eq!(set.contains(gtid(uuid, tag, gno)), model.contains(&(uuid, tag, gno)));
        }}}
    }

    #[test]
    fn operations_match_the_model(a in model(), b in model()) {
        let (left, right) = (set_of(&a), set_of(&b));
        let mut union = left.clone();
        union.union(&right);
        prop_assert_eq!(&union, &set_of(&a.union(&b).copied().collect()));
        let mut rest = left.clone();
        rest.subtract(&right);
        prop_assert_eq!(&rest, &set_of(&a.difference(&b).copied().collect()));
        prop_assert_eq!(left.is_subset(&right), a.is_subset(&b));
        prop_assert_eq!(left.intersects(&right), !a.is_disjoint(&b));
        prop_assert!(rest.is_subset(&left) && !rest.intersects(&right));
        prop_assert_eq!(left.is_empty(), a.is_empty());
    }

    #[test]
    fn text_and_bytes_come_back(a in model()) {
        let set = set_of(&a);
        prop_assert_eq!(&set.to_string().parse::<GtidSet>().unwrap(), &set);
        let mut bytes = Vec::new();
        set.encode(&mut bytes);
        prop_assert_eq!(&GtidSet::decode(&bytes).unwrap(), &set);
        for end in 0..bytes.len() {
            prop_assert!(GtidSet::decode(&bytes[..end]).is_err());
        }
        bytes.push(0);
        prop_assert!(GtidSet::decode(&bytes).is_err());
    }

    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>, tagged: bool, count in 0..4u8) {
        let mut bytes = bytes;
        let _ = GtidSet::decode(&bytes);
        let head = if tagged { [1, count, 0, 0, 0, 0, 0, 1] } else { [count, 0, 0, 0, 0, 0, 0, 0] };
        bytes.splice(0..0, head);
        let _ = GtidSet::decode(&bytes);
    }

    #[test]
    fn any_text_is_survived(text in "[ ,:{}0-9a-f_-]{0,80}|\\PC{0,40}") {
        if let Ok(set) = text.parse::<GtidSet>() {
            prop_assert_eq!(set.to_string().parse::<GtidSet>().unwrap(), set);
        }
        let _ = text.parse::<Gtid>();
    }
}

#[test]
fn counts_are_not_trusted() {
    // 2^56 − 1 sources, none there.
    assert!(GtidSet::decode(&[255, 255, 255, 255, 255, 255, 255, 0]).is_err());
    // One source, 2^60 intervals: 2^64 bytes.
    let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([7; 16]);
    bytes.extend((1u64 << 60).to_le_bytes());
    assert!(GtidSet::decode(&bytes).is_err());
}

#[test]
fn intervals_must_rise() {
    let decode = |intervals: &[(u64, u64)]| {
        let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([7; 16]);
        bytes.extend(u64::try_from(intervals.len()).unwrap().to_le_bytes());
        for (start, end) in intervals {
            bytes.extend(start.to_le_bytes());
            bytes.extend(end.to_le_bytes());
        }
        GtidSet::decode(&bytes)
    };
    assert!(decode(&[(1, 2), (3, 4)]).is_ok());
    assert!(decode(&[(1, MAX_GNO + 1)]).is_ok());
    for bad in [
        &[(0, 1)][..],
        &[(2, 2)],
        &[(3, 2)],
        &[(1, 2), (2, 3)],
        &[(3, 4), (1, 2)],
        &[(1, MAX_GNO + 2)],
        &[(1, u64::MAX)],
    ] {
        assert!(decode(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn unknown_formats_are_refused() {
    for head in [[0, 0, 0, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 0, 0, 1]] {
        assert!(matches!(
            GtidSet::decode(&head).unwrap_err().kind,
            crate::Kind::Unsupported(_)
        ));
    }
}

#[test]
fn gtids_have_their_own_notation() {
    let text = "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:7";
    let gtid: Gtid = text.parse().unwrap();
    assert_eq!((gtid.tag().as_str(), gtid.gno()), ("tag", 7));
    assert_eq!(gtid.to_string(), text);
    let gtid: Gtid = " 3E11FA47-71CA-11E1-9E33-C80AA9429562 : 7 "
        .parse()
        .unwrap();
    assert_eq!(gtid.to_string(), "3e11fa47-71ca-11e1-9e33-c80aa9429562:7");
    for bad in [
        "",
        "3e11fa47-71ca-11e1-9e33-c80aa9429562",
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag",
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-2",
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:0",
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:a:b:1",
    ] {
        assert!(bad.parse::<Gtid>().is_err(), "{bad}");
    }
    assert!(Gtid::new(gtid.uuid(), Tag::default(), 0).is_none());
    assert!(Gtid::new(gtid.uuid(), Tag::default(), MAX_GNO + 1).is_none());
}

/// 100,000 intervals over 50 UUIDs with two tags each. The bound is some hundred times what it
/// takes, for slow machines, and a small part of what anything quadratic would.
#[test]
fn large_sets_are_quick() {
    let started = Instant::now();
    let mut set = GtidSet::new();
    let mut text = String::new();
    for n in (0..1000u64).rev() {
        for uuid in 0..50u8 {
            for tag in 0..2u8 {
                text += &format!("{},", gtid(uuid, tag, n * 3 + 1));
            }
        }
    }
    let parsed: GtidSet = text.parse().unwrap();
    for n in 0..1000u64 {
        for uuid in 0..50u8 {
            for tag in 0..2u8 {
                set.add(gtid(uuid, tag, n * 3 + 1));
            }
        }
    }
    assert_eq!(parsed, set);
    assert_eq!(set.intervals().count(), 100_000);
    let again: GtidSet = set.to_string().parse().unwrap();
    let mut bytes = Vec::new();
    again.encode(&mut bytes);
    let mut other = GtidSet::decode(&bytes).unwrap();
    other.subtract(&set);
    assert!(other.is_empty());
    other.union(&set);
    assert_eq!(other, set);
    assert!(other.is_subset(&set) && other.intersects(&set));
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}

/// A set that names one source 100,000 times, its numbers falling: the same bound as above.
#[test]
fn a_source_that_is_repeated_is_quick() {
    const TIMES: u64 = 100_000;
    let started = Instant::now();
    let mut bytes = TIMES.to_le_bytes().to_vec();
    for n in (1..=TIMES).rev() {
        bytes.extend_from_slice(&[7; 16]);
        for number in [1, 2 * n, 2 * n + 1] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    let set = GtidSet::decode(&bytes).unwrap();
    assert_eq!(set.intervals().count(), 100_000);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}
