use bintrail_proto::gtid_set::{Gtid, GtidSet};

/// Sets in the text notation: two of them, between them a `|`.
pub fn gtid_set_text(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let (first, second) = text.split_once('|').unwrap_or((text, ""));
    let sets = [first, second].map(|text| match text.parse::<GtidSet>() {
        Ok(set) => Some(set),
        Err(error) => {
            super::check_error(&error, text.len());
            None
        }
    });
    if let [Some(a), Some(b)] = sets {
        for set in [&a, &b] {
            reads_back(set);
        }
        operations(&a, &b);
    }
    match first.parse::<Gtid>() {
        Ok(gtid) => {
            assert_eq!(gtid.to_string().parse(), Ok(gtid));
            let mut set: GtidSet = gtid.to_string().parse().unwrap();
            assert!(set.contains(gtid) && !set.add(gtid));
        }
        Err(error) => super::check_error(&error, first.len()),
    }
}

/// Sets in the binary form: two of them, the first behind one byte of its length in 16 bytes.
pub fn gtid_set_binary(data: &[u8]) {
    let [len, rest @ ..] = data else { return };
    let (first, second) = rest.split_at((usize::from(*len) << 4 | 8).min(rest.len()));
    let sets = [first, second].map(|bytes| match GtidSet::decode(bytes) {
        Ok(set) => Some(set),
        Err(error) => {
            super::check_error(&error, bytes.len());
            None
        }
    });
    for (set, bytes) in sets.iter().zip([first, second]) {
        if let Some(set) = set {
            assert!(set.intervals().count() * 16 <= bytes.len());
            reads_back(set);
        }
    }
    if let [Some(a), Some(b)] = sets {
        operations(&a, &b);
    }
}

fn reads_back(set: &GtidSet) {
    assert_eq!(set.to_string().parse().as_ref(), Ok(set));
    let mut encoded = Vec::new();
    set.encode(&mut encoded);
    assert_eq!(GtidSet::decode(&encoded).as_ref(), Ok(set));
    let mut previous = None;
    for (uuid, tag, interval) in set.intervals() {
        assert!(1 <= interval.first && interval.first <= interval.last);
        if let Some((source, last)) = previous
            && source == (uuid, tag)
        {
            assert!(last + 1 < interval.first, "apart and in order");
        }
        previous = Some(((uuid, tag), interval.last));
    }
}

/// The laws of sets.
fn operations(a: &GtidSet, b: &GtidSet) {
    let mut both = a.clone();
    both.union(b);
    let mut reverse = b.clone();
    reverse.union(a);
    assert_eq!(both, reverse);
    assert!(a.is_subset(&both) && b.is_subset(&both));

    let mut rest = a.clone();
    rest.subtract(b);
    assert!(rest.is_subset(a) && !rest.intersects(b));
    assert_eq!(rest == *a, !a.intersects(b));
    assert_eq!(rest.is_empty(), a.is_subset(b));
    assert_eq!(a.intersects(b), b.intersects(a));
    let mut again = rest.clone();
    again.union(b);
    assert_eq!(again, both);

    for set in [&both, &rest] {
        reads_back(set);
    }
    for (uuid, tag, interval) in a.intervals() {
        for gno in [interval.first, interval.last] {
            let gtid = Gtid::new(uuid, tag, gno).unwrap();
            assert!(a.contains(gtid));
            assert_eq!(rest.contains(gtid), !b.contains(gtid));
        }
    }
}
