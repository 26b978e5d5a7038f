//! `bintrail doctor`: what stands in the way of a stream, puts it at risk, or could be better, and what mends it.
//!
//! Facts are asked for in one place (`source`, and `facts` in each index) and judged in others, by functions that have no
//! connection. [`Severity::Error`] is what `stream` refuses to start with or loses changes by; `stream` itself
//! refuses by the same functions, and logs the source's other findings when it starts. Nothing here changes anything.

pub(crate) mod clock;
mod finding;
pub(crate) mod grants;
mod index;
mod kept;
mod logs;
mod privileges;
mod replicas;
pub(crate) mod settings;
mod source;
mod tables;
mod tls;

pub use finding::{Finding, Fix, Severity};
pub(crate) use replicas::own_server_id;
pub(crate) use source::warn_before_stream;

use crate::dsn::IndexDsn;
use crate::filter::Filter;
use crate::source::connection::ConnectOptions;
use crate::stream::{derived_server_id, place_of};

/// The stream to be.
#[derive(Debug, Clone)]
pub struct DoctorOptions {
    /// Where the index is, or will be.
    pub index: IndexDsn,
    /// How to reach the source.
    pub source: ConnectOptions,
    /// The hosts and ports of other servers that the source may be on.
    pub more_hosts: Vec<(String, u16)>,
    /// The server id to replicate under; derived from host and source when `None`.
    pub server_id: Option<u32>,
    /// Which tables are kept.
    pub filter: Filter,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Report {
    /// At each server that the source may be on.
    pub sources: Vec<Part>,
    /// At the index.
    pub index: Part,
}

/// One end of a stream.
#[derive(Debug, Clone)]
pub struct Part {
    /// Where it is.
    pub place: String,
    /// Which server it is, when it was reached.
    pub version: Option<String>,
    /// What the checks say, in their order.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings there are of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.sources
            .iter()
            .chain([&self.index])
            .flat_map(|part| &part.findings)
            .filter(|finding| finding.severity == severity)
            .count()
    }
}

/// Examines source and index. What goes wrong is a finding, and the one does not keep the other from being examined.
pub async fn doctor(options: &DoctorOptions) -> Report {
    let mut examined = Vec::new();
    for host in options.source.on_each(&options.more_hosts) {
        examined.push(source::examine(&host, &options.filter).await);
    }
    // The index knows the source as one of them.
    let reached = examined.iter().find_map(|(_, about)| about.as_ref());
    let (index, streaming) = index::examine(&options.index, reached).await;
    let server_id = options
        .server_id
        .unwrap_or_else(|| derived_server_id(&options.source, &place_of(&options.index)));
    let sources = examined.into_iter().map(|(mut part, about)| {
        let finding = about.map(|about| replicas::judge(server_id, &about, streaming));
        part.findings.extend(finding);
        part
    });
    Report {
        sources: sources.collect(),
        index,
    }
}

/// A size for people.
fn bytes(size: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if size < 1024 {
        return format!("{size} bytes");
    }
    let mut tenths = size.saturating_mul(10) / 1024;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while tenths >= 10_240 && units.len() > 0 {
        tenths /= 1024;
        unit = units.next();
    }
    let unit = unit.copied().unwrap_or_default();
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (size, shown) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1536, "1.5 KiB"),
            (64 << 20, "64.0 MiB"),
            (1 << 40, "1.0 TiB"),
        ] {
            assert_eq!(bytes(size), shown);
        }
    }
}
