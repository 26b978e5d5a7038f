//! FORMAT_DESCRIPTION_EVENT (15): the first event of a file and of a stream, which tells how to
//! read the others.

use super::checksum::Checksum;
use super::header::EventType;
use crate::error::{Error, Fault, Kind, Parsed, read};
use crate::primitive::{array, bytes, int1, int2, int4, rest};

/// The body of a FORMAT_DESCRIPTION_EVENT.
///
/// ```text
/// int<2>       version of the binlog format, 4
/// string<50>   version of the server, filled up with NUL
/// int<4>       when the file was made; 0 in all but the first file since the server's start
/// int<1>       length of the common header, 19
/// string<n>    lengths of the events' post-headers, a byte each, from event type 1
/// int<1>       checksum algorithm           } since MySQL 5.6.1
/// string<4>    checksum of this event       } and MariaDB 5.3
/// ```
///
/// Source: MySQL source documentation, `mysql::binlog::event::Format_description_event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatDescription<'a> {
    /// The server that wrote the file.
    pub server_version: ServerVersion<'a>,
    /// When it was made, in seconds since the Unix epoch; 0 in files that no server start begins.
    pub created: u32,
    /// Length of the header of every event but this one and ROTATE, at least 19.
    pub common_header_length: u8,
    /// How events are checksummed; `None` from a server that is too old to have checksums, where
    /// this event has none either.
    pub checksum: Option<Checksum>,
    post_header_lengths: &'a [u8],
}

/// A server's version, such as `9.7.4` or `10.11.6-MariaDB-log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerVersion<'a> {
    /// All of it, as the server writes it.
    pub text: &'a str,
    /// Its three numbers; all 0 when it does not start with them.
    pub numbers: (u16, u16, u16),
}

/// The server family, where formats differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavor {
    /// MySQL, Percona Server and what writes like them.
    #[default]
    MySql,
    /// MariaDB.
    MariaDb,
}

impl<'a> FormatDescription<'a> {
    /// Reads the body: *all* that is behind the common header, with the checksum, since the event
    /// itself tells whether it has one. (The checksum is not compared here.)
    ///
    /// # Errors
    /// When it ends early, the format is not version 4, or the checksum algorithm is unknown.
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        read("Format_description_event", body, event)
    }

    /// Whose server wrote the file. MariaDB may be told to give any version, but has types of event that MySQL has not.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        if self
            .post_header_length(EventType::GTID_LIST_EVENT.0)
            .is_some()
        {
            Flavor::MariaDb
        } else {
            self.server_version.flavor()
        }
    }

    /// The length of the post-header of events of `event_type`; `None` when the server has no
    /// such type.
    #[must_use]
    pub fn post_header_length(&self, event_type: u8) -> Option<u8> {
        let at = usize::from(event_type).checked_sub(1)?;
        self.post_header_lengths.get(at).copied()
    }
}

fn event(input: &[u8]) -> Parsed<'_, FormatDescription<'_>> {
    let (after, version) = int2(input)?;
    if version != 4 {
        return Err(Fault::at(
            input,
            Kind::Unsupported("a binlog format other than version 4"),
        ));
    }
    let (after, server_version) = server_version(after)?;
    let (at_length, created) = int4(after)?;
    let (after, common_header_length) = int1(at_length)?;
    if common_header_length < 19 {
        return Err(Fault::invalid(
            at_length,
            "common header is shorter than 19 bytes",
        ));
    }
    let (after, post_header_lengths, checksum) = if server_version.has_checksums() {
        let tail = after.len().checked_sub(5);
        let tail = tail.ok_or_else(|| Fault::at(after, Kind::Truncated))?;
        let (at_algorithm, lengths) = bytes(tail)(after)?;
        let (after, algorithm) = int1(at_algorithm)?;
        let checksum = match algorithm {
            0 => Checksum::None,
            1 => Checksum::Crc32,
            _ => {
                return Err(Fault::at(
                    at_algorithm,
                    Kind::Unsupported("this checksum algorithm"),
                ));
            }
        };
        let (after, _) = array::<4>(after)?;
        (after, lengths, Some(checksum))
    } else {
        let (after, lengths) = rest(after)?;
        (after, lengths, None)
    };
    if post_header_lengths.is_empty() {
        return Err(Fault::at(at_length, Kind::Truncated));
    }
    let event = FormatDescription {
        server_version,
        created,
        common_header_length,
        checksum,
        post_header_lengths,
    };
    Ok((after, event))
}

fn server_version(input: &[u8]) -> Parsed<'_, ServerVersion<'_>> {
    let (rest, field) = bytes(50)(input)?;
    let text = field
        .split(|&byte| byte == 0)
        .next()
        .and_then(|text| std::str::from_utf8(text).ok())
        .ok_or_else(|| Fault::invalid(input, "server version is not text"))?;
    Ok((rest, ServerVersion::new(text)))
}

impl<'a> ServerVersion<'a> {
    /// The version that `text` names.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        let numbers = numbers(text).unwrap_or_default();
        Self { text, numbers }
    }

    /// Whose it is.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        if self.text.contains("MariaDB") {
            Flavor::MariaDb
        } else {
            Flavor::MySql
        }
    }

    fn has_checksums(&self) -> bool {
        let since = match self.flavor() {
            Flavor::MariaDb => (5, 3, 0),
            Flavor::MySql => (5, 6, 1),
        };
        self.numbers >= since
    }
}

/// The three numbers at the start of a version.
fn numbers(text: &str) -> Option<(u16, u16, u16)> {
    let mut parts = text.splitn(3, '.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    let rest = parts.next()?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let patch = rest.get(..end)?.parse().ok()?;
    Some((major, minor, patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(version: &str, tail: &[u8]) -> Vec<u8> {
        let mut body = vec![4, 0];
        body.extend_from_slice(version.as_bytes());
        body.resize(52, 0);
        body.extend_from_slice(&[0, 0, 0, 0, 19]);
        body.extend_from_slice(tail);
        body
    }

    #[test]
    fn versions_with_and_without_checksums() {
        let tail = [56, 13, 0, 8, 1, 9, 9, 9, 9];
        for (version, numbers, aware) in [
            ("5.5.62-log", (5, 5, 62), false),
            ("5.6.0-m4", (5, 6, 0), false),
            ("5.6.1", (5, 6, 1), true),
            ("5.6.24-log", (5, 6, 24), true),
            ("8.0.36-28.1", (8, 0, 36), true),
            ("10.11.6-MariaDB-0+deb12u1-log", (10, 11, 6), true),
            ("5.5.68-MariaDB", (5, 5, 68), true),
            ("5.2.14-MariaDB", (5, 2, 14), false),
            ("next", (0, 0, 0), false),
            ("9.7", (0, 0, 0), false),
        ] {
            let body = body(version, &tail);
            let event = FormatDescription::parse(&body).unwrap();
            assert_eq!(event.server_version.text, version);
            assert_eq!(event.server_version.numbers, numbers, "{version}");
            assert_eq!(event.post_header_length(2), Some(13));
            if aware {
                assert_eq!(event.checksum, Some(Checksum::Crc32), "{version}");
                assert_eq!(event.post_header_length(5), None);
            } else {
                assert_eq!(event.checksum, None, "{version}");
                assert_eq!(event.post_header_length(5), Some(1));
            }
        }
    }

    #[test]
    fn what_is_not_version_4() {
        let mut old = body("4.1.22", &[0; 9]);
        old[0] = 3;
        let error = FormatDescription::parse(&old).unwrap_err();
        assert!(matches!(error.kind, Kind::Unsupported(_)));
        let unknown = body("9.7.4", &[56, 2, 0, 0, 0, 0]);
        let error = FormatDescription::parse(&unknown).unwrap_err();
        assert!(matches!(error.kind, Kind::Unsupported(_)));
        assert!(FormatDescription::parse(&body("9.7.4", &[1, 0, 0, 0, 0])).is_err());
        let mut short = body("9.7.4", &[0; 9]);
        short[56] = 18;
        assert!(FormatDescription::parse(&short).is_err());
    }
}
