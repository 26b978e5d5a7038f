//! GTID sets of the size that years of failovers leave, against what a real MySQL makes of them.

#![allow(clippy::unwrap_used, reason = "test code")]

use std::fmt::Write as _;

use bintrail_proto::gtid_set::GtidSet;
use bintrail_testkit::server::Server;

/// Sources and tags of each; with the intervals of a tag 100,000 in all.
const SOURCES: u32 = 50;
const TAGS: [&str; 4] = ["", "a:", "b_1:", "zz9:"];
const INTERVALS: u32 = 500;

/// A set, its intervals and the gaps between them of any length. Those of two seeds overlap here and there.
fn set(seed: u64) -> String {
    let mut state = seed;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut text = String::new();
    for source in 0..SOURCES {
        write!(text, "{source:08x}-71ca-11e1-9e33-c80aa9429562").unwrap();
        for tag in TAGS {
            let mut last = 0;
            write!(text, ":{tag}").unwrap();
            for number in 0..INTERVALS {
                let first = last + 2 + random(40);
                last = first + random(40);
                let colon = if number > 0 { ":" } else { "" };
                write!(text, "{colon}{first}-{last}").unwrap();
            }
        }
        text.push(',');
    }
    text
}

#[test]
fn a_hundred_thousand_intervals_are_what_the_server_makes_of_them() {
    let server = Server::start("mysql97", "gtid-sets", &[]).unwrap();
    let mut client = server.client().unwrap();
    let texts = [set(1), set(2)];
    client
        .run(&format!("SET @a = '{}', @b = '{}'", texts[0], texts[1]))
        .unwrap();
    let [left, right] = texts.map(|text| text.parse::<GtidSet>().unwrap());
    assert_eq!(left.intervals().count(), 100_000);

    let mut union = left.clone();
    union.union(&right);
    let mut rest = left.clone();
    rest.subtract(&right);
    assert!(rest.intervals().count() > 50_000 && union.intervals().count() > 50_000);
    for (expression, ours) in [
        ("GTID_SUBTRACT(@a, '')", &left),
        ("GTID_SUBTRACT(@b, '')", &right),
        ("GTID_SUBTRACT(@a, @b)", &rest),
        ("GTID_SUBTRACT(CONCAT(@a, ',', @b), '')", &union),
    ] {
        let server = client.string(&format!("SELECT {expression}")).unwrap();
        assert!(server == ours.to_string(), "{expression}");
    }

    client
        .run("SET @rest = GTID_SUBTRACT(@a, @b), @union = GTID_SUBTRACT(CONCAT(@a, ',', @b), '')")
        .unwrap();
    for (expression, ours) in [
        ("GTID_SUBSET(@a, @b)", left.is_subset(&right)),
        ("GTID_SUBSET(@rest, @a)", rest.is_subset(&left)),
        ("GTID_SUBSET(@rest, @b)", rest.is_subset(&right)),
        ("GTID_SUBSET(@a, @union)", left.is_subset(&union)),
        ("GTID_SUBSET(@union, @a)", union.is_subset(&left)),
    ] {
        let server = client.string(&format!("SELECT {expression}")).unwrap();
        assert_eq!(server == "1", ours, "{expression}");
    }
}
