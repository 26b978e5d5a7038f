use bintrail_engine::pipeline::statement::{Statement, classify};

/// Statements of any text: what stands around one, and the case of its letters, does not change what it is.
pub fn statement(data: &[u8]) {
    let Ok(sql) = str::from_utf8(data) else {
        return;
    };
    let found = classify(sql);
    if let Statement::XaCommit(xid) | Statement::XaRollback(xid) = found {
        assert!(sql.contains(xid));
        assert_eq!(xid.trim(), xid);
    }
    if let Statement::Ddl(kind) = &found {
        let kind = kind.to_string();
        assert!(kind.is_ascii() && kind.split(' ').count() <= 2 && kind.len() <= 24);
    }
    for front in [
        " \t\n",
        "/* DROP TABLE */",
        "-- DROP\n",
        "# DROP\n",
        "(",
        ";",
        "/*!",
        "/*!80000 ",
    ] {
        // A digit would go on with the version of a comment that is executed.
        if front == "/*!" && sql.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        assert_eq!(classify(&format!("{front}{sql}")), found, "behind {front}");
    }
    // The one word whose case counts: MariaDB's comment that is executed.
    if sql.contains("/*M!") || sql.contains("/*m!") {
        return;
    }
    let name = |statement: &Statement<'_>| match statement {
        Statement::XaCommit(_) => "XA COMMIT".to_owned(),
        Statement::XaRollback(_) => "XA ROLLBACK".to_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(name(&classify(&sql.to_ascii_uppercase())), name(&found));
    assert_eq!(name(&classify(&sql.to_ascii_lowercase())), name(&found));
}
