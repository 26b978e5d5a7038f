//! A user that is refused: a stream that is under way waits until somebody mends that; one that starts says so and ends.

use std::fs;

use serde_json::Value;

use crate::index_trouble::{end_sessions, last_error};
use crate::support::{PASSWORD, Scratch, Stream, index_server, run, source, until};

const NEW: &str = "0ther_than_before";

const TABLE: [&str; 2] = [
    "CREATE DATABASE d",
    "CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, x INT)",
];

const ROW: &str = "INSERT INTO d.t (x) VALUES (1)";

/// What is done to the user, and to the file with the password; what the stream says of it; the exit code of one that starts
/// meanwhile; and what undoes it.
struct Refusal {
    take: String,
    file: Option<&'static str>,
    says: &'static str,
    code: i32,
    give: String,
    mended: &'static str,
}

fn refusals() -> [Refusal; 5] {
    let refusal = |take: &str, says, code, give: &str| Refusal {
        take: take.to_owned(),
        file: Some(NEW),
        says,
        code,
        give: give.to_owned(),
        mended: NEW,
    };
    [
        Refusal {
            file: Some(PASSWORD),
            ..refusal(
                &format!("ALTER USER capture IDENTIFIED BY '{NEW}'"),
                "Access denied for user 'capture'",
                11,
                "DO 0",
            )
        },
        Refusal {
            file: None,
            ..refusal("DO 0", "the password file ", 31, "DO 0")
        },
        refusal(
            "ALTER USER capture ACCOUNT LOCK",
            "unlock it with ALTER USER",
            11,
            "ALTER USER capture ACCOUNT UNLOCK",
        ),
        refusal(
            "REVOKE REPLICATION SLAVE ON *.* FROM capture",
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT",
            13,
            "GRANT REPLICATION SLAVE ON *.* TO capture",
        ),
        Refusal {
            mended: PASSWORD,
            ..refusal(
                "ALTER USER capture PASSWORD EXPIRE",
                "give the account a new one",
                11,
                &format!("ALTER USER capture IDENTIFIED BY '{PASSWORD}'"),
            )
        },
    ]
}

#[test]
fn a_source_that_refuses_the_user_for_a_while_is_waited_for() {
    let source = source(&[]);
    let scratch = Scratch::new();
    let file = scratch.0.join("password");
    run(&source, &TABLE);
    fs::write(&file, PASSWORD).unwrap();
    let start = [
        "--start-file",
        "mysql-bin.000001",
        "--source-password-file",
        file.to_str().unwrap(),
    ];
    let dsn = format!("mysql://capture@127.0.0.1:{}/", source.port);
    let mut stream = Stream::new("refused", &source, None, &scratch, &start).from(&dsn);
    let mut rows = 0;
    for refusal in refusals() {
        let take = || {
            run(&source, &[&refusal.take]);
            match refusal.file {
                Some(password) => fs::write(&file, password).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
        };
        let give = || {
            run(&source, &[&refusal.give]);
            fs::write(&file, refusal.mended).unwrap();
        };
        stream.start();
        run(&source, &[ROW]);
        stream.catch_up(&source);
        take();
        end_sessions(&source, "capture");
        run(&source, &[ROW]);
        stream.says(refusal.says, 1);
        let noted =
            until(|| Some(last_error(&stream)).filter(|error| error.contains(refusal.says)));
        assert!(!noted.contains(PASSWORD) && !noted.contains(NEW), "{noted}");
        assert!(noted.contains(", user capture: "), "{noted}");
        let report = stream.output(&["status", "--format", "json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        let found = &report["sources"][0]["findings"][0];
        assert_eq!(found["state"], "no_access", "{found}");
        let detail = found["detail"].as_str().unwrap();
        assert!(detail.ends_with(&noted), "{detail}");
        give();
        run(&source, &[ROW]);
        stream.catch_up(&source);
        rows += 3;
        assert_eq!(stream.equals(&source), rows);
        assert_eq!(last_error(&stream), "none", "{}", refusal.take);
        stream.terminate();

        if refusal.take.contains("IDENTIFIED") {
            continue;
        }
        // Nobody has to be waited for by one that starts.
        take();
        stream.start();
        let (code, last) = stream.end();
        assert_eq!(code, Some(refusal.code), "{}: {last}", refusal.take);
        give();
    }
}

#[test]
fn a_password_of_the_index_is_read_again_from_its_file() {
    let (source, keeper) = (source(&[]), index_server(&[]));
    let scratch = Scratch::new();
    let file = scratch.0.join("password");
    run(&source, &TABLE);
    fs::write(&file, PASSWORD).unwrap();
    let start = [
        "--start-file",
        "mysql-bin.000001",
        "--index-password-file",
        file.to_str().unwrap(),
    ];
    let mut stream = Stream::new("rotated", &source, Some(&keeper), &scratch, &start);
    stream.start();
    run(&source, &[ROW]);
    stream.catch_up(&source);
    let renew = format!("ALTER USER keeper IDENTIFIED BY '{NEW}'");
    run(&keeper, &[&renew]);
    end_sessions(&keeper, "keeper");
    run(&source, &[ROW]);
    stream.says("does not let the user in: check user and password", 1);
    fs::write(&file, NEW).unwrap();
    stream.catch_up(&source);
    stream.terminate();
    assert_eq!(stream.equals(&source), 2);
}
