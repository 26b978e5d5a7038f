//! GTID sets against what a MySQL server makes of them: `data/gtid_set/generate` asks it.

use bintrail_proto::gtid_set::GtidSet;

/// A field of the client's batch output.
fn unescape(field: &str) -> String {
    field.replace("\\n", "\n").replace("\\t", "\t")
}

#[test]
fn text_is_read_and_written_as_the_server_does() {
    let mut lines = 0;
    for line in include_str!("data/gtid_set/normalised.tsv").lines() {
        let (input, expected) = line.split_once('\t').expect("two fields");
        let ours = unescape(input)
            .parse::<GtidSet>()
            .map_or_else(|_| "ERROR".to_owned(), |set| set.to_string());
        assert_eq!(ours, unescape(expected), "{input:?}");
        lines += 1;
    }
    assert_eq!(lines, 63);
}

#[test]
fn operations_give_what_the_server_gives() {
    let mut lines = 0;
    for line in include_str!("data/gtid_set/operations.tsv").lines() {
        let fields: Vec<_> = line.split('\t').map(unescape).collect();
        let [left, right, difference, subset, union] = fields.as_slice() else {
            panic!("five fields: {line:?}");
        };
        let left: GtidSet = left.parse().expect("a set");
        let right: GtidSet = right.parse().expect("a set");
        let mut ours = left.clone();
        ours.subtract(&right);
        assert_eq!(&ours.to_string(), difference, "{line}");
        assert_eq!(left.intersects(&right), ours != left, "{line}");
        let mut ours = left.clone();
        ours.union(&right);
        assert_eq!(&ours.to_string(), union, "{line}");
        assert_eq!(left.is_subset(&right), subset == "1", "{line}");
        lines += 1;
    }
    assert_eq!(lines, 144);
}
