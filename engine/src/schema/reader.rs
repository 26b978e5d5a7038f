//! The small parts of DDL statements: keywords, names, what is in brackets.

use super::lex::{Lexer, Token};

/// Schema and table.
pub(super) type Name = (String, String);

/// Reads a statement. Its functions give `None` where they cannot tell.
pub(super) struct Reader<'a> {
    pub(super) tokens: Lexer<'a>,
    /// The default schema.
    pub(super) schema: &'a str,
}

impl<'a> Reader<'a> {
    /// Passes over `IF EXISTS` and `IF NOT EXISTS`, and tells whether there was one.
    pub(super) fn if_exists(&mut self) -> bool {
        let found = self.eat("IF");
        if found {
            self.eat("NOT");
            self.eat("EXISTS");
        }
        found
    }

    /// A table's name, with its schema in front or not.
    pub(super) fn table(&mut self) -> Option<Name> {
        // `.t` is in the default schema too.
        self.eat_symbol('.');
        let first = self.identifier()?;
        if self.eat_symbol('.') {
            Some((first, self.identifier()?))
        } else {
            Some((self.schema.to_owned(), first))
        }
    }

    pub(super) fn identifier(&mut self) -> Option<String> {
        match self.tokens.next()? {
            Token::Word(word) => Some(word.to_owned()),
            Token::Name(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn word(&mut self) -> Option<&'a str> {
        match self.tokens.next()? {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn eat(&mut self, keyword: &str) -> bool {
        self.eat_if(|token| token.is(keyword))
    }

    pub(super) fn eat_symbol(&mut self, symbol: char) -> bool {
        self.eat_if(|token| *token == Token::Symbol(symbol))
    }

    fn eat_if(&mut self, wanted: impl Fn(&Token<'a>) -> bool) -> bool {
        let mut ahead = self.tokens.clone();
        let found = ahead.next().is_some_and(|token| wanted(&token));
        if found {
            self.tokens = ahead;
        }
        found
    }

    /// The word that comes next, in upper case; empty for anything else.
    pub(super) fn ahead(&self) -> String {
        match self.tokens.clone().next() {
            Some(Token::Word(word)) => word.to_ascii_uppercase(),
            _ => String::new(),
        }
    }

    /// The keyword of these that comes next.
    pub(super) fn eat_any(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        keywords.iter().find(|keyword| self.eat(keyword)).copied()
    }

    pub(super) fn text(&mut self) -> Option<String> {
        match self.tokens.next()? {
            Token::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn eat_text(&mut self) -> bool {
        self.eat_if(|token| matches!(token, Token::Text(_)))
    }

    /// Passes over what is in brackets; the opening one was read.
    pub(super) fn close(&mut self) -> Option<()> {
        let mut depth = 1_u32;
        while depth > 0 {
            match self.tokens.next()? {
                Token::Symbol('(') => depth = depth.checked_add(1)?,
                Token::Symbol(')') => depth = depth.checked_sub(1)?,
                Token::Unreadable => return None,
                _ => {}
            }
        }
        Some(())
    }

    /// Passes over the rest of a clause, up to the comma or the closing bracket behind it.
    pub(super) fn skip_clause(&mut self) -> Option<()> {
        while !self.at_clause_end() {
            match self.tokens.next()? {
                Token::Symbol('(') => self.close()?,
                Token::Unreadable => return None,
                _ => {}
            }
        }
        Some(())
    }

    pub(super) fn at_clause_end(&self) -> bool {
        matches!(
            self.tokens.clone().next(),
            None | Some(Token::Symbol(',' | ')' | ';'))
        )
    }

    pub(super) fn at_end(&self) -> bool {
        self.tokens.clone().all(|token| token == Token::Symbol(';'))
    }
}
