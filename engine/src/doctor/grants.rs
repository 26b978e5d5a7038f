//! What `SHOW GRANTS` says that an account may do.
//!
//! Its lines may hold the hash of a password, so none of them is ever shown.

/// One privilege statement's worth.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    /// A `REVOKE`: what it names is taken away from a grant on everything.
    revoked: bool,
    privileges: Vec<String>,
    on: Scope,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Global,
    /// `%` and `_` stand for others, unless a backslash stands before them.
    Schema(String),
    Table(String, String),
}

/// All that an account may do, its active roles included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    grants: Vec<Grant>,
    /// With `partial_revokes`, names of schemas stand for themselves.
    literal: bool,
}

impl Grants {
    /// From the lines of `SHOW GRANTS`. What is no privilege on tables (roles, proxies, routines) is left out.
    pub(crate) fn parse<'a>(lines: impl IntoIterator<Item = &'a str>, literal: bool) -> Self {
        Self {
            grants: lines.into_iter().filter_map(parse).collect(),
            literal,
        }
    }

    /// May it do `privilege` on everything?
    pub(crate) fn everywhere(&self, privilege: &str) -> bool {
        self.grants
            .iter()
            .any(|grant| !grant.revoked && grant.on == Scope::Global && grant.has(privilege))
    }

    /// May it do `privilege` on all tables of `schema`?
    pub(crate) fn in_schema(&self, privilege: &str, schema: &str) -> bool {
        let here = |grant: &&Grant| {
            grant.has(privilege)
                && matches!(&grant.on, Scope::Schema(pattern) if self.covers(pattern, schema))
        };
        let (revokes, grants): (Vec<_>, Vec<_>) = self
            .grants
            .iter()
            .filter(here)
            .partition(|grant| grant.revoked);
        !grants.is_empty() || self.everywhere(privilege) && revokes.is_empty()
    }

    /// May it do `privilege` on a table?
    pub(crate) fn on_table(&self, privilege: &str, schema: &str, table: &str) -> bool {
        self.in_schema(privilege, schema)
            || self.grants.iter().any(|grant| {
                let on = Scope::Table(schema.to_owned(), table.to_owned());
                grant.has(privilege) && grant.on == on
            })
    }

    /// The schemas on which `privilege`, granted on everything, is revoked.
    pub(crate) fn revoked(&self, privilege: &str) -> impl Iterator<Item = &str> {
        self.grants.iter().filter_map(move |grant| match &grant.on {
            Scope::Schema(schema) if grant.revoked && grant.has(privilege) => Some(schema.as_str()),
            _ => None,
        })
    }

    fn covers(&self, pattern: &str, schema: &str) -> bool {
        if self.literal {
            pattern == schema
        } else {
            like(pattern, schema)
        }
    }
}

impl Grant {
    fn has(&self, privilege: &str) -> bool {
        self.privileges
            .iter()
            .any(|name| name == privilege || name == "ALL PRIVILEGES" || name == "ALL")
    }
}

fn parse(line: &str) -> Option<Grant> {
    let (revoked, rest) = match line.strip_prefix("GRANT ") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("REVOKE ")?),
    };
    let (privileges, rest) = cut_on(rest)?;
    let on = scope(rest)?;
    let privileges = privileges
        .into_iter()
        .map(|name| name.to_ascii_uppercase())
        .collect();
    Some(Grant {
        revoked,
        privileges,
        on,
    })
}

/// The privileges before ` ON `, and what stands behind it. Those on columns only are left out.
fn cut_on(text: &str) -> Option<(Vec<String>, &str)> {
    let mut privileges = Vec::new();
    let (mut start, mut quote, mut depth, mut columns) = (0, None, 0_u32, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '`' | '\'' | '"') => quote = Some(c),
            (None, '(') => (depth, columns) = (depth.saturating_add(1), true),
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) if depth > 0 => {}
            (None, _) => {
                let rest = text.get(at..)?;
                let on = rest.strip_prefix(" ON ");
                if c == ',' || on.is_some() {
                    if !std::mem::take(&mut columns) {
                        privileges.push(text.get(start..at)?.trim().to_owned());
                    }
                    start = at.saturating_add(1);
                }
                if let Some(on) = on {
                    return Some((privileges, on));
                }
            }
        }
    }
    None
}

fn scope(text: &str) -> Option<Scope> {
    if text.starts_with("*.*") {
        return Some(Scope::Global);
    }
    // PROXY and routines have other forms, and are not asked about.
    let (schema, rest) = name(text)?;
    let rest = rest.strip_prefix('.')?;
    if rest.starts_with('*') {
        return Some(Scope::Schema(schema));
    }
    let (table, _) = name(rest)?;
    Some(Scope::Table(schema, table))
}

/// A name in backquotes, or in the double quotes of ANSI_QUOTES, and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '`' | '"'))?;
    let mut name = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            name.push(c);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            name.push(quote);
        } else {
            return Some((name, text.get(at.saturating_add(1)..)?));
        }
    }
    None
}

/// Does `text` match a pattern of LIKE?
fn like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0_usize, 0_usize);
    // Where to go on when what follows the last % does not fit.
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        let (wild, literal, width) = match (pattern.get(p), pattern.get(p.saturating_add(1))) {
            (Some('\\'), Some(escaped)) => (None, Some(escaped), 2),
            (Some(c @ ('%' | '_')), _) => (Some(*c), None, 1),
            (literal, _) => (None, literal, 1),
        };
        if wild == Some('%') {
            p = p.saturating_add(1);
            back = Some((p, t));
        } else if wild == Some('_') || literal.is_some() && literal == text.get(t) {
            p = p.saturating_add(width);
            t = t.saturating_add(1);
        } else if let Some((after, from)) = back {
            p = after;
            t = from.saturating_add(1);
            back = Some((after, t));
        } else {
            return false;
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|c| *c == '%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(lines: &[&str]) -> Grants {
        Grants::parse(lines.iter().copied(), false)
    }

    #[test]
    fn as_each_kind_of_server_prints_them() {
        let mysql97 = grants(&[
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `a1`@`%`",
            "GRANT `r1`@`%` TO `a1`@`%`",
            "GRANT SELECT ON `d\\_`.* TO `a1`@`%`",
            "GRANT SELECT (`user`), INSERT ON `mysql`.`user` TO `a1`@`%`",
        ]);
        assert!(mysql97.everywhere("REPLICATION SLAVE") && !mysql97.everywhere("SELECT"));
        assert!(mysql97.in_schema("SELECT", "d_") && !mysql97.in_schema("SELECT", "dx"));
        // SELECT on a column is none on the table.
        assert!(mysql97.on_table("INSERT", "mysql", "user"));
        assert!(!mysql97.on_table("SELECT", "mysql", "user"));
        let mysql56 = grants(&[
            "GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' IDENTIFIED BY PASSWORD '*AB' WITH GRANT OPTION",
            "GRANT PROXY ON ''@'' TO 'root'@'localhost' WITH GRANT OPTION",
        ]);
        assert!(mysql56.everywhere("SELECT") && mysql56.on_table("DROP", "a", "b"));
        let mariadb = grants(&[
            "GRANT `r1` TO `a1`@`%`",
            "GRANT USAGE ON *.* TO `a1`@`%` IDENTIFIED BY PASSWORD '*B6'",
            "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `r1`",
            "GRANT EXECUTE ON FUNCTION `d`.`f` TO `a1`@`%`",
            "SET DEFAULT ROLE `r1` FOR `a1`@`%`",
        ]);
        assert!(mariadb.everywhere("BINLOG MONITOR") && !mariadb.everywhere("SELECT"));
        assert!(!mariadb.in_schema("EXECUTE", "d"));
    }

    #[test]
    fn a_revoke_takes_away() {
        let some = Grants::parse(
            [
                "GRANT SELECT ON *.* TO `a`@`%`",
                "REVOKE SELECT ON `se_cret`.* FROM `a`@`%`",
            ],
            true,
        );
        assert!(some.everywhere("SELECT") && !some.in_schema("SELECT", "se_cret"));
        assert!(some.in_schema("SELECT", "sexcret"));
        assert_eq!(some.revoked("SELECT").collect::<Vec<_>>(), ["se_cret"]);
    }

    #[test]
    fn quoted_names_and_patterns() {
        let odd = grants(&["GRANT SELECT ON `a``b ON c`.`t.*` TO `x`@`%`"]);
        assert!(odd.on_table("SELECT", "a`b ON c", "t.*"));
        for (pattern, text, fits) in [
            ("shop", "shop", true),
            ("shop", "shops", false),
            ("sh%", "shop", true),
            ("%op", "shop-op", true),
            ("s_op", "shop", true),
            ("s\\_op", "shop", false),
            ("s\\_op", "s_op", true),
            ("%", "", true),
            ("a%b%c", "axxbxbyc", true),
            ("a%b%c", "axxbxby", false),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
