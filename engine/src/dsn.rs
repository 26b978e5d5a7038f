//! Data source names: where a server or an index is, and who connects.
//!
//! ```text
//! user:password@tcp(host:3306)/database?param=value      as Go's driver has it
//! mysql://user:password@host:3306/database?param=value
//! sqlite:PATH                                            for the index only
//! …@tcp(host1:3306,host2:3306)/ and …@host1:3306,host2:3306/   for the source only
//! ```
//!
//! In the first form the password stands as it is; in the second `%40` and the like are decoded.
//! In both it may hold `@`, `:` and `/`: the user ends at the first `:`, the password at the last
//! `@`. An error names the fault and the form expected, never what was given: it may hold a
//! password.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::secret::Secret;
use crate::tls::{SslMode, TlsOptions};

const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 3306;

/// A MySQL or MariaDB server and the user to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MySqlDsn {
    /// User name; may be empty.
    pub user: String,
    /// Password; may be empty.
    pub password: Secret,
    /// The file that has it, where it is not in the DSN; it is read for each connection.
    pub password_file: Option<PathBuf>,
    /// Host name or address, an IPv6 one without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Further hosts and ports, where several are named.
    pub more_hosts: Vec<(String, u16)>,
    /// The database, where one is named.
    pub database: Option<String>,
    /// From `ssl-mode=…`, or `tls=…` as Go's driver has it, `ssl-ca=…`, `ssl-cert=…` and `ssl-key=…`.
    pub tls: TlsOptions,
    /// `sql_log_bin=0`: what is written through it stays out of the server's own binary log.
    pub unlogged: bool,
}

/// Where the index is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexDsn {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A database on a MySQL server.
    MySql(Box<MySqlDsn>),
}

/// Why a DSN cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "malformed DSN: {fault}; expected {}user:password@tcp(host:3306)/database or \
     mysql://user:password@host:3306/database",
    if *file { "sqlite:PATH, " } else { "" }
)]
pub struct DsnError {
    fault: &'static str,
    /// May it name a file as well?
    file: bool,
}

const fn fault(fault: &'static str) -> DsnError {
    DsnError { fault, file: false }
}

impl IndexDsn {
    /// Reads the DSN of an index.
    ///
    /// # Errors
    ///
    /// When it is neither `sqlite:PATH` nor a [`MySqlDsn`] with a database.
    pub fn parse(text: &str) -> Result<Self, DsnError> {
        Self::parse_either(text).map_err(|error| DsnError {
            file: true,
            ..error
        })
    }

    fn parse_either(text: &str) -> Result<Self, DsnError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return match path.strip_prefix("//").unwrap_or(path) {
                "" => Err(fault("sqlite: needs the path of a file")),
                ":memory:" => Err(fault("an index in memory is gone at the end: name a file")),
                path if path.starts_with("file:") => {
                    Err(fault("an SQLite file is given by its path, not as a URI"))
                }
                path => Ok(Self::Sqlite(path.into())),
            };
        }
        if !text.contains(['@', '(']) && !text.contains("://") {
            return Err(fault("a file is given as sqlite:PATH"));
        }
        let dsn = MySqlDsn::parse(text)?;
        if dsn.database.is_none() {
            return Err(fault("the index needs a database behind the /"));
        }
        if !dsn.more_hosts.is_empty() {
            return Err(fault("the index is on one host"));
        }
        Ok(Self::MySql(Box::new(dsn)))
    }
}

impl MySqlDsn {
    /// Reads a DSN of either form.
    ///
    /// # Errors
    ///
    /// When it is in neither form, or names what is not supported (unix sockets).
    pub fn parse(text: &str) -> Result<Self, DsnError> {
        match text.strip_prefix("mysql://") {
            Some(text) => Self::parse_url(text),
            None if text.starts_with("sqlite:") => Err(fault("an SQLite file is no server")),
            None => Self::parse_go(text),
        }
    }

    fn parse_go(text: &str) -> Result<Self, DsnError> {
        // The last /, because a password or an address may hold one: so no parameter may.
        let (server, rest) = text
            .rsplit_once('/')
            .ok_or(fault("no / before the database, which may be empty"))?;
        let (database, params) = cut(rest, '?');
        let (login, address) = match server.rsplit_once('@') {
            Some((login, address)) => (login, address),
            None => ("", server),
        };
        let address = match cut(address, '(') {
            ("" | "tcp", None) => "",
            ("tcp", Some(address)) => address
                .strip_suffix(')')
                .ok_or(fault("no ) behind the address"))?,
            ("unix", _) => return Err(fault("unix sockets are not supported")),
            _ => return Err(fault("the address is not tcp(host:port)")),
        };
        let (user, password) = cut(login, ':');
        Self::new(
            user.to_owned(),
            password.unwrap_or_default().to_owned(),
            address,
            decode(database)?,
            params,
        )
    }

    fn parse_url(text: &str) -> Result<Self, DsnError> {
        let (login, rest) = match text.rsplit_once('@') {
            Some((login, rest)) => (login, rest),
            None => ("", text),
        };
        let (rest, params) = cut(rest, '?');
        let (address, database) = cut(rest, '/');
        let (user, password) = cut(login, ':');
        Self::new(
            decode(user)?.into_owned(),
            decode(password.unwrap_or_default())?.into_owned(),
            address,
            decode(database.unwrap_or_default())?,
            params,
        )
    }

    fn new(
        user: String,
        password: String,
        address: &str,
        database: Cow<'_, str>,
        params: Option<&str>,
    ) -> Result<Self, DsnError> {
        let (first, more) = cut(address, ',');
        let (host, port) = host_port(first)?;
        let more = more.map(|more| more.split(','));
        let more_hosts = more.into_iter().flatten().map(|address| match address {
            "" => Err(fault("nothing between two commas")),
            address => host_port(address).map(|(host, port)| (host.to_owned(), port)),
        });
        let more_hosts = more_hosts.collect::<Result<_, _>>()?;
        let mut dsn = Self {
            user,
            password: Secret::new(password),
            password_file: None,
            host: host.to_owned(),
            port,
            more_hosts,
            database: Some(database.into_owned()).filter(|name| !name.is_empty()),
            tls: TlsOptions::default(),
            unlogged: false,
        };
        for param in params.unwrap_or_default().split('&') {
            let (name, value) = cut(param, '=');
            let value = decode(value.unwrap_or_default())?;
            match name.replace('_', "-").to_ascii_lowercase().as_str() {
                "ssl-mode" | "sslmode" => {
                    dsn.tls.mode = Some(
                        SslMode::from_name(&value).ok_or(fault("ssl-mode has an unknown value"))?,
                    );
                }
                "tls" => {
                    dsn.tls.mode = Some(match value.as_ref() {
                        "false" => SslMode::Disabled,
                        "preferred" => SslMode::Preferred,
                        "skip-verify" => SslMode::Required,
                        "true" => SslMode::VerifyIdentity,
                        _ => {
                            return Err(fault("tls is not true, false, skip-verify or preferred"));
                        }
                    });
                }
                "ssl-ca" => dsn.tls.ca = Some(PathBuf::from(value.as_ref())),
                "ssl-cert" => dsn.tls.cert = Some(PathBuf::from(value.as_ref())),
                "ssl-key" => dsn.tls.key = Some(PathBuf::from(value.as_ref())),
                "sql-log-bin" => {
                    dsn.unlogged = match value.to_ascii_lowercase().as_str() {
                        "0" | "off" | "false" => true,
                        "1" | "on" | "true" => false,
                        _ => return Err(fault("sql_log_bin is not 0 or 1")),
                    };
                }
                // Passed over, a misspelt one would leave the link less safe than it was asked to be.
                name if name.contains("ssl") || name.contains("tls") || name.contains("verify") => {
                    return Err(fault(
                        "a parameter about TLS that is none of ssl-mode, ssl-ca, ssl-cert, ssl-key and tls",
                    ));
                }
                // What else Go's driver takes (parseTime, loc, charset …) has no meaning here.
                _ => {}
            }
        }
        Ok(dsn)
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port` or nothing.
fn host_port(address: &str) -> Result<(&str, u16), DsnError> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest
                .split_once(']')
                .ok_or(fault("no ] behind the IPv6 address"))?;
            let port = match rest.strip_prefix(':') {
                None if rest.is_empty() => None,
                None => return Err(fault("something other than :port behind the ]")),
                port => port,
            };
            (host, port)
        }
        None => match cut(address, ':') {
            (_, Some(port)) if port.contains(':') => {
                return Err(fault("an IPv6 address stands in [brackets]"));
            }
            parts => parts,
        },
    };
    if host.contains(['(', ')', '/', '@', ' ']) {
        return Err(fault("the host has a character that no host has"));
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or(fault("the port is not a number from 1 to 65535"))?,
    };
    Ok((if host.is_empty() { DEFAULT_HOST } else { host }, port))
}

/// What stands before and behind the first `at`.
fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    }
}

fn decode(text: &str) -> Result<Cow<'_, str>, DsnError> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(bytes.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        match (digit(), digit()) {
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => return Err(fault("a % without two hex digits: write a % itself as %25")),
        }
    }
    String::from_utf8(out)
        .map(Cow::Owned)
        .map_err(|_| fault("the %-encoded bytes are not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        let dsn = MySqlDsn::parse(text).unwrap();
        format!(
            "{}|{}|{}|{}|{}",
            dsn.user,
            dsn.password.expose(),
            dsn.host,
            dsn.port,
            dsn.database.as_deref().unwrap_or("-")
        )
    }

    #[test]
    fn both_forms() {
        for (text, expected) in [
            ("u:p@tcp(h:3307)/d?parseTime=true", "u|p|h|3307|d"),
            ("u:p@tcp(h)/d", "u|p|h|3306|d"),
            ("u:p@tcp([::1]:3307)/", "u|p|::1|3307|-"),
            ("u:p@tcp([fe80::1])/d", "u|p|fe80::1|3306|d"),
            ("u@tcp(h:1)/d", "u||h|1|d"),
            ("u:p@/d", "u|p|127.0.0.1|3306|d"),
            ("/", "||127.0.0.1|3306|-"),
            ("u:a@b:c/d@tcp(h:1)/d", "u|a@b:c/d|h|1|d"),
            ("u:p%40@tcp(h:1)/d%2Fe", "u|p%40|h|1|d/e"),
            ("mysql://u:p@h:3307/d?ssl-mode=required", "u|p|h|3307|d"),
            ("mysql://u:p@[::1]/d", "u|p|::1|3306|d"),
            ("mysql://u%40x:p%3A%2f%40@h", "u@x|p:/@|h|3306|-"),
            ("mysql://u:a@b:c/d?e@h:1/d", "u|a@b:c/d?e|h|1|d"),
            ("mysql://h/d", "||h|3306|d"),
            ("mysql://u:p@h/d?ssl-ca=/a/b.pem", "u|p|h|3306|d"),
        ] {
            assert_eq!(show(text), expected, "{text}");
        }
    }

    #[test]
    fn several_hosts() {
        for text in [
            "u:a,b@tcp(h,h2:3307,[::1]:1)/?tls=true",
            "mysql://u:a,b@h,h2:3307,[::1]:1/?tls=true",
        ] {
            assert_eq!(show(text), "u|a,b|h|3306|-", "{text}");
            let more = [("h2".to_owned(), 3307), ("::1".to_owned(), 1)];
            assert_eq!(MySqlDsn::parse(text).unwrap().more_hosts, more, "{text}");
            let index = text.replace("/?", "/d?");
            assert!(IndexDsn::parse(&index).is_err(), "{index}");
        }
    }

    #[test]
    fn a_server_s_own_log() {
        for (text, unlogged) in [
            ("u:p@tcp(h)/d", Some(false)),
            ("u:p@tcp(h)/d?sql_log_bin=0", Some(true)),
            ("mysql://u:p@h/d?tls=true&sql_log_bin=OFF", Some(true)),
            ("mysql://u:p@h/d?sql_log_bin=1", Some(false)),
            ("mysql://u:p@h/d?sql_log_bin=", None),
        ] {
            let parsed = MySqlDsn::parse(text).map(|dsn| dsn.unlogged);
            assert_eq!(parsed.ok(), unlogged, "{text}");
        }
    }

    #[test]
    fn tls_of_both_forms() {
        for (text, expected) in [
            ("u:p@tcp(h)/", None),
            ("u:p@tcp(h)/?tls=skip-verify", Some(SslMode::Required)),
            ("u:p@tcp(h)/?a=b&tls=true", Some(SslMode::VerifyIdentity)),
            ("mysql://h/?ssl-mode=VERIFY_CA", Some(SslMode::VerifyCa)),
            ("mysql://h/?ssl_mode=disabled", Some(SslMode::Disabled)),
        ] {
            assert_eq!(MySqlDsn::parse(text).unwrap().tls.mode, expected, "{text}");
        }
        let text = "mysql://h/?ssl-ca=/a%20b/c&ssl_cert=d&SSL-KEY=e&ssl-mode=verify-full";
        let expected = TlsOptions {
            mode: Some(SslMode::VerifyIdentity),
            ca: Some("/a b/c".into()),
            cert: Some("d".into()),
            key: Some("e".into()),
        };
        assert_eq!(MySqlDsn::parse(text).unwrap().tls, expected);
    }

    #[test]
    fn a_malformed_dsn_names_its_fault_and_no_secret() {
        for (text, expected) in [
            ("u:s3cret@tcp(h:3306)", "no / before the database"),
            ("u:s3cret@tcp(h:3306/d", "no ) behind"),
            ("u:s3cret@h:3306/d", "not tcp(host:port)"),
            ("u:s3cret@unix(/s3cret)/d", "unix sockets"),
            ("u:s3cret@tcp(h:99999)/d", "the port"),
            ("u:s3cret@tcp(h:0)/d", "the port"),
            ("u:s3cret@tcp(::1:3306)/d", "[brackets]"),
            ("u:s3cret@tcp([::1:3306)/d", "no ]"),
            ("u:s3cret@tcp([::1]3306)/d", "behind the ]"),
            ("u:s3cret@tcp(h)/d?tls=s3cret", "tls is not"),
            ("u:s3cret@tcp(h,)/d", "between two commas"),
            ("mysql://u:s3cret@h:1,h:0/", "the port"),
            ("mysql://u:s3cret%zz@h/d", "%25"),
            ("mysql://u:s3cret%ff@h/d", "UTF-8"),
            ("mysql://u:s3cret@h:s3cret/d", "the port"),
            ("mysql://u:s3cret@h/d?ssl-mode=s3cret", "ssl-mode"),
            ("mysql://u:s3cret@h/d?ssl-mod=verify-ca", "about TLS"),
            ("mysql://u:p@h/?ssl_verify_identity=true", "about TLS"),
            ("u:p@tcp(h)/d?parseTime=true&useSSL=true", "about TLS"),
            ("u:p@tcp(h)/d?tlsMode=verify-ca", "about TLS"),
            ("mysql://u:p@h/?verifyServerCertificate=true", "about TLS"),
            ("mysql://u:s3cret@tcp(h:1)/d", "no host has"),
            ("sqlite:s3cret", "no server"),
        ] {
            let error = MySqlDsn::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{text}: {error}");
        }
    }

    #[test]
    fn of_an_index() {
        assert_eq!(
            IndexDsn::parse("sqlite:/a/b.db"),
            Ok(IndexDsn::Sqlite("/a/b.db".into()))
        );
        assert_eq!(
            IndexDsn::parse("sqlite:///a/b.db"),
            Ok(IndexDsn::Sqlite("/a/b.db".into()))
        );
        for no_file in ["sqlite:", "sqlite::memory:", "sqlite:file:x.db?mode=memory"] {
            assert!(IndexDsn::parse(no_file).is_err(), "{no_file}");
        }
        assert!(IndexDsn::parse("u:p@tcp(h)/").is_err());
        assert!(matches!(
            IndexDsn::parse("u:p@tcp(h)/d"),
            Ok(IndexDsn::MySql(_))
        ));
    }

    #[test]
    fn nothing_prints_the_password() {
        let dsn = MySqlDsn::parse("u:s3cret@tcp(h)/d").unwrap();
        assert!(!format!("{dsn:?}").contains("s3cret"));
    }
}
