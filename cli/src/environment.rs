//! Variables of the environment that are meant for flags, and are no flag's.

use std::collections::BTreeSet;

use strsim::osa_distance;

const PREFIX: &str = "BINTRAIL_";

/// Refuses a variable that is made of the words of flags, or nearly a flag's own, and is the variable of none: it would set
/// nothing, and nobody would be told. Others are somebody else's.
pub(crate) fn check(
    names: impl IntoIterator<Item = String>,
    flags: &BTreeSet<String>,
    known: impl Fn(&str) -> bool,
) -> Result<(), String> {
    let words: BTreeSet<&str> = flags.iter().flat_map(|flag| words(flag)).collect();
    let near = |name: &str| flags.iter().find(|flag| osa_distance(flag, name) <= 2);
    let misspelt = names.into_iter().find(|name| {
        name.starts_with(PREFIX)
            && !known(name)
            && (near(name).is_some() || self::words(name).all(|word| words.contains(word)))
    });
    let Some(name) = misspelt else { return Ok(()) };
    let meant = near(&name).map_or(":".to_owned(), |flag| format!("; is it {flag}?"));
    Err(format!(
        "the environment has {name}, which no flag is named after{meant} `bintrail help COMMAND` lists the names"
    ))
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.strip_prefix(PREFIX).unwrap_or(name).split('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_a_flag_and_sets_none_is_refused() {
        let flags: BTreeSet<String> = [
            "BINTRAIL_SOURCE_DSN",
            "BINTRAIL_SSL_MODE",
            "BINTRAIL_TABLES",
            "BINTRAIL_SCHEMAS",
            "BINTRAIL_SERVER_ID",
            "BINTRAIL_STREAMS_DIR",
        ]
        .map(str::to_owned)
        .into();
        let check = |name: &str| check([name.to_owned()], &flags, |name| flags.contains(name));
        for (name, meant) in [
            ("BINTRAIL_TABELS", "; is it BINTRAIL_TABLES?"),
            ("BINTRAIL_TABLE", "; is it BINTRAIL_TABLES?"),
            ("BINTRAIL_SSLMODE", "; is it BINTRAIL_SSL_MODE?"),
            ("BINTRAIL_SOURCE_SSL_MODE", ": `bintrail help"),
        ] {
            let error = check(name).unwrap_err();
            let says = format!("has {name}, which no flag is named after{meant}");
            assert!(error.contains(&says), "{error}");
        }
        for name in [
            "BINTRAIL_SSL_MODE",
            "TABELS",
            "BINTRAIL_PORT",
            "BINTRAIL_PORT_9180_TCP_ADDR",
            "BINTRAIL_SERVICE_HOST",
            "BINTRAIL_PACKAGES_DIR",
            "BINTRAIL_SERVERS_DIR",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }
}
