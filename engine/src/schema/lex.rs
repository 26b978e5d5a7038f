//! SQL statements to tokens, as far as finding the names in a DDL statement needs it.

/// A token. Comments are gone; what `/*! … */` executes is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A keyword, an unquoted name or a number.
    Word(&'a str),
    /// A name in quotes, without them.
    Name(String),
    /// A string.
    Text(String),
    /// Any other character.
    Symbol(char),
    /// What cannot be read: nobody knows where it ends, and what comes behind it.
    Unreadable,
}

impl Token<'_> {
    /// Is it this keyword?
    pub(crate) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// `sql_mode` bits that change how a statement is read.
const ANSI_QUOTES: u64 = 1 << 2;
const NO_BACKSLASH_ESCAPES: u64 = 1 << 20;

/// The tokens of a statement.
#[derive(Debug, Clone)]
pub(crate) struct Lexer<'a> {
    rest: &'a str,
    /// What a `"` begins; `None` where nobody knows.
    ansi_quotes: Option<bool>,
    backslash_escapes: bool,
    /// A comment was passed of which it cannot be told whether its text was executed.
    conditional: bool,
}

impl<'a> Lexer<'a> {
    /// Reads `sql` as a session with this `sql_mode` does.
    pub(crate) fn new(sql: &'a str, sql_mode: Option<u64>) -> Self {
        Self {
            rest: sql,
            ansi_quotes: sql_mode.map(|mode| mode & ANSI_QUOTES != 0),
            backslash_escapes: sql_mode.is_none_or(|mode| mode & NO_BACKSLASH_ESCAPES == 0),
            conditional: false,
        }
    }

    /// Can it not be told what of the text up to now the server executed?
    pub(super) const fn was_conditional(&self) -> bool {
        self.conditional
    }

    fn skip_blanks(&mut self) {
        loop {
            let sql = self
                .rest
                .trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0B' || c == '\0');
            self.rest = if let Some(text) = sql.strip_prefix("/*!") {
                // A server that does not execute it takes the `!` away before it logs the statement.
                let executed = text.trim_start_matches(|c: char| c.is_ascii_digit());
                let digits = text.len().saturating_sub(executed.len());
                self.conditional |= ![0, 5, 6].contains(&digits);
                executed
            } else if let Some(text) = sql.strip_prefix("/*M!") {
                // To MySQL it is a comment.
                self.conditional = true;
                text.trim_start_matches(|c: char| c.is_ascii_digit())
            } else if let Some(comment) = sql.strip_prefix("/*") {
                let (comment, behind) = comment.split_once("*/").unwrap_or((comment, ""));
                // If the server did not execute it, it ends where this one would within it.
                self.conditional |= comment.contains("/*");
                behind
            } else if let Some(end) = sql.strip_prefix("*/") {
                end
            } else if sql.starts_with('#') || is_dash_comment(sql) {
                sql.split_once('\n').map_or("", |(_, behind)| behind)
            } else {
                self.rest = sql;
                return;
            };
        }
    }

    /// The text up to the closing `quote`, which is doubled inside; `None` when it does not end.
    fn quoted(&mut self, quote: char, escapes: bool) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                if chars.peek().is_none_or(|(_, next)| *next != quote) {
                    self.rest = self.rest.get(at.saturating_add(quote.len_utf8())..)?;
                    return Some(text);
                }
                chars.next();
                text.push(quote);
            } else if c == '\\' && escapes {
                match chars.next()?.1 {
                    '0' => text.push('\0'),
                    'b' => text.push('\x08'),
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    'Z' => text.push('\x1A'),
                    // Only LIKE knows these two.
                    other @ ('%' | '_') => text.extend(['\\', other]),
                    other => text.push(other),
                }
            } else {
                text.push(c);
            }
        }
        None
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let first = self.rest.chars().next()?;
        let token = match first {
            '`' => self.quoted('`', false).map(Token::Name),
            '\'' => self.quoted('\'', self.backslash_escapes).map(Token::Text),
            '"' => match self.ansi_quotes {
                Some(true) => self.quoted('"', false).map(Token::Name),
                Some(false) => self.quoted('"', self.backslash_escapes).map(Token::Text),
                None => None,
            },
            c if is_word(c) => {
                let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(end);
                self.rest = rest;
                Some(Token::Word(word))
            }
            other => {
                self.rest = self.rest.get(other.len_utf8()..).unwrap_or_default();
                Some(Token::Symbol(other))
            }
        };
        if token.is_none() {
            self.rest = "";
        }
        Some(token.unwrap_or(Token::Unreadable))
    }
}

/// May it stand in a name without quotes?
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// `--` begins a comment only where white space, a control character or the end follows.
fn is_dash_comment(sql: &str) -> bool {
    sql.strip_prefix("--").is_some_and(|rest| {
        rest.is_empty()
            || rest.starts_with(|c: char| c.is_ascii_whitespace() || c.is_ascii_control())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(sql: &str, sql_mode: u64) -> Vec<Token<'_>> {
        Lexer::new(sql, Some(sql_mode)).collect()
    }

    #[test]
    fn words_names_texts() {
        assert_eq!(
            tokens("ALTER  TABLE`a``b`.\"c\" x$1é='it''s\\'',\"q\"\"\"", 0),
            [
                Token::Word("ALTER"),
                Token::Word("TABLE"),
                Token::Name("a`b".to_owned()),
                Token::Symbol('.'),
                Token::Text("c".to_owned()),
                Token::Word("x$1é"),
                Token::Symbol('='),
                Token::Text("it's'".to_owned()),
                Token::Symbol(','),
                Token::Text("q\"".to_owned()),
            ]
        );
        assert_eq!(
            tokens(r#""a\" '\'"#, ANSI_QUOTES | NO_BACKSLASH_ESCAPES),
            [Token::Name("a\\".to_owned()), Token::Text("\\".to_owned())]
        );
        let text = r"'\0\b\n\r\t\Z\\\%\_\x'";
        assert_eq!(
            tokens(text, 0),
            [Token::Text("\0\x08\n\r\t\x1A\\\\%\\_x".to_owned())]
        );
    }

    #[test]
    fn comments_are_gone() {
        let sql = "/* `a` */ a -- 'b'\n#c\n/*!50000 d /* ' */ e */ --f\n/*M!100500 g*/ --";
        let mut lexer = Lexer::new(sql, Some(0));
        for word in ["a", "d", "e"] {
            assert_eq!(lexer.next(), Some(Token::Word(word)));
        }
        assert!(!lexer.was_conditional());
        let rest: Vec<_> = lexer.by_ref().collect();
        assert_eq!(
            rest,
            [
                Token::Symbol('-'),
                Token::Symbol('-'),
                Token::Word("f"),
                Token::Word("g"),
            ]
        );
        assert!(lexer.was_conditional());
        for sql in ["/* 99999 a /* b */ c", "/*!500 a */", "/*!5000000 a */"] {
            let mut lexer = Lexer::new(sql, Some(0));
            lexer.by_ref().for_each(drop);
            assert!(lexer.was_conditional(), "{sql}");
        }
    }

    #[test]
    fn what_does_not_end() {
        for sql in ["`a", "'a", "'a\\", "'a\\'", "\"a"] {
            assert_eq!(tokens(sql, 0), [Token::Unreadable], "{sql}");
        }
        let unknown: Vec<_> = Lexer::new("\"a\"", None).collect();
        assert_eq!(unknown, [Token::Unreadable]);
        assert_eq!(tokens("/* a", 0), []);
    }
}
