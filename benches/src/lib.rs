//! Decoders of binlog files, bintrail's and others', each as an engine that does the same work: it reads
//! every value of every row of a file, and counts what it has read.

pub mod engines;
pub mod events;
pub mod live;
pub mod measure;
pub mod stream;

use std::fmt;

/// Why an engine could not read a file.
pub type Error = Box<dyn std::error::Error>;

/// What an engine returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an engine has read. All engines have to agree on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Changed rows: an UPDATE's two images are one.
    pub rows: u64,
    /// Values in their images, NULLs among them.
    pub values: u64,
    /// Values that are NULL.
    pub nulls: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rows,
            values,
            nulls,
        } = self;
        write!(f, "rows={rows} values={values} nulls={nulls}")
    }
}

impl std::str::FromStr for Counts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut counts = Self::default();
        for part in text.split_whitespace() {
            let (name, number) = part.split_once('=').ok_or("not name=number")?;
            let number = number.parse().map_err(|_| format!("{part}: no number"))?;
            match name {
                "rows" => counts.rows = number,
                "values" => counts.values = number,
                "nulls" => counts.nulls = number,
                _ => return Err(format!("{part}: an unknown count")),
            }
        }
        Ok(counts)
    }
}
