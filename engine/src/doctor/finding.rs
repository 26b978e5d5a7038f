//! What a check has found.

use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing has to be done.
    Info,
    /// A stream starts, but something of it is at risk, or less than it could be.
    Warning,
    /// A stream does not start, or loses row changes.
    Error,
}

/// What to do about a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// A statement for an account that may run it, on the server that the finding is about.
    Sql(String),
    /// A line for the option file of that server, which reads it when it starts.
    ServerOption(String),
    /// A flag for `bintrail`.
    Flag(String),
    /// A command for a shell on this machine.
    Shell(String),
    /// Anything else, in words.
    Advice(String),
}

impl Fix {
    /// Its kind, as the JSON report names it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sql(_) => "sql",
            Self::ServerOption(_) => "server_option",
            Self::Flag(_) => "flag",
            Self::Shell(_) => "shell",
            Self::Advice(_) => "advice",
        }
    }

    /// The statement, option, flag or command itself, ready to be copied.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Sql(text)
            | Self::ServerOption(text)
            | Self::Flag(text)
            | Self::Shell(text)
            | Self::Advice(text) => text,
        }
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerOption(line) => {
                write!(f, "restart the server with `{line}` in its option file")
            }
            Self::Flag(flag) => write!(f, "give bintrail {flag}"),
            Self::Sql(text) | Self::Shell(text) | Self::Advice(text) => f.write_str(text),
        }
    }
}

/// What one check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check's name. It stays what it is from version to version.
    pub check: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, in one line.
    pub message: String,
    /// What to do about it, step by step; empty when there is nothing to do.
    pub fix: Vec<Fix>,
}

impl Finding {
    pub(super) fn new(check: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            check,
            severity,
            message: message.into(),
            fix: Vec::new(),
        }
    }

    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Severity::Ok, message)
    }

    pub(super) fn info(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Severity::Info, message)
    }

    pub(super) fn warning(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Severity::Warning, message)
    }

    pub(super) fn error(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Severity::Error, message)
    }

    pub(super) fn fix(mut self, fix: Fix) -> Self {
        self.fix.push(fix);
        self
    }

    pub(super) fn fixes(mut self, fixes: impl IntoIterator<Item = Fix>) -> Self {
        self.fix.extend(fixes);
        self
    }

    pub(super) fn sql(self, statement: impl Into<String>) -> Self {
        self.fix(Fix::Sql(statement.into()))
    }
}

/// Message and fix in one line, as errors and the log have them.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for fix in &self.fix {
            let text = fix.to_string();
            write!(f, "; {}", text.strip_suffix(';').unwrap_or(&text))?;
        }
        Ok(())
    }
}
