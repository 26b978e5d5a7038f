//! The labels of ENUM and SET columns, as `information_schema` prints them.

use super::SchemaColumn;

/// The members that `information_schema` prints: in utf8mb3, with a `?` for each character beyond. `None` where that may
/// have happened.
pub(crate) fn certain_members(column: &SchemaColumn) -> Option<Vec<String>> {
    const NARROW: [&str; 3] = ["utf8mb3", "utf8", "ucs2"];
    let members = members(&column.column_type)?;
    let charset = column.charset.as_deref();
    let beyond = charset.is_none_or(|charset| charset.starts_with("utf") || charset == "gb18030")
        && !charset.is_some_and(|charset| NARROW.contains(&charset));
    let unsure = beyond && members.iter().any(|member| member.contains('?'));
    (!unsure).then_some(members)
}

/// Are these the same labels, for all that is known where `information_schema` has printed some?
pub(crate) fn same_labels(one: &[String], other: &[String]) -> bool {
    let same_char = |one: char, other: char| {
        one == other || one == '?' && other > '\u{FFFF}' || other == '?' && one > '\u{FFFF}'
    };
    let same = |(one, other): (&String, &String)| {
        one.chars().count() == other.chars().count()
            && one
                .chars()
                .zip(other.chars())
                .all(|(one, other)| same_char(one, other))
    };
    one.len() == other.len() && one.iter().zip(other).all(same)
}

/// The members in `enum('a','b''c')` or `set(…)`; `None` for other types.
pub(crate) fn members(column_type: &str) -> Option<Vec<String>> {
    let list = column_type
        .strip_prefix("enum(")
        .or_else(|| column_type.strip_prefix("set("))?;
    let mut members = Vec::new();
    let mut rest = list.strip_prefix('\'')?;
    let mut member = String::new();
    loop {
        let (part, behind) = rest.split_once('\'')?;
        push_unescaped(&mut member, part);
        if let Some(after_quote) = behind.strip_prefix('\'') {
            member.push('\'');
            rest = after_quote;
            continue;
        }
        members.push(std::mem::take(&mut member));
        match behind.strip_prefix(",'") {
            Some(next) => rest = next,
            None => return (behind == ")").then_some(members),
        }
    }
}

/// The server writes these four with a backslash, whatever its `sql_mode`: `append_unescaped` in
/// `sql/sql_show.cc`.
fn push_unescaped(member: &mut String, mut text: &str) {
    while let Some((plain, behind)) = text.split_once('\\') {
        member.push_str(plain);
        let mut rest = behind.chars();
        match rest.next() {
            Some('0') => member.push('\0'),
            Some('n') => member.push('\n'),
            Some('r') => member.push('\r'),
            Some(other) => member.push(other),
            None => {}
        }
        text = rest.as_str();
    }
    member.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_information_schema_cannot_print_are_not_known() {
        let of = |charset: &str, column_type: &str| {
            certain_members(&SchemaColumn {
                name: "e".into(),
                column_type: column_type.into(),
                charset: Some(charset.into()),
                nullable: true,
                generated: None,
                invisible: false,
                pk: None,
            })
        };
        let labels =
            |list: &[&str]| -> Vec<String> { list.iter().map(ToString::to_string).collect() };
        assert_eq!(of("utf8mb4", "enum('a','?')"), None);
        assert_eq!(of("utf8mb4", "enum('a','b')"), Some(labels(&["a", "b"])));
        assert_eq!(of("latin1", "set('?')"), Some(labels(&["?"])));
        assert!(same_labels(&labels(&["a", "?x"]), &labels(&["a", "😀x"])));
        assert!(!same_labels(&labels(&["?"]), &labels(&["é"])));
        assert!(!same_labels(&labels(&["a", "b"]), &labels(&["b", "a"])));
    }

    #[test]
    fn enum_members_as_information_schema_prints_them() {
        let of = |text| members(text).unwrap_or_default();
        assert_eq!(of("enum('a','b''c','d,''e')"), ["a", "b'c", "d,'e"]);
        assert_eq!(of("set('')"), [""]);
        // What MySQL 9.7 gives for ENUM('a\\b', 'c\\', 'e\nf', '\r\0').
        assert_eq!(
            of(r"enum('a\\b','c\\','e\nf','\r\0')"),
            ["a\\b", "c\\", "e\nf", "\r\0"]
        );
        assert_eq!(members("int"), None);
        assert_eq!(members("enum('a"), None);
    }
}
