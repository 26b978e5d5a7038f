//! What a server is registered with. What its parameters may be, and what they are where they are not given, is said by
//! the flags of `bintrail stream`, and nowhere else.

use std::ffi::OsString;

use bintrail_cli::stream_flags::StreamArgs;
use bintrail_engine::dsn::MySqlDsn;
use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Args, FromArgMatches};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Fields of [`Parameters`], and the flags behind them.
const FLAGS: [(&str, &str); 8] = [
    ("schemas", "schemas"),
    ("tables", "tables"),
    ("batch_size", "batch-size"),
    ("checkpoint_interval", "checkpoint"),
    ("ssl_mode", "ssl-mode"),
    ("ssl_ca", "ssl-ca"),
    ("ssl_cert", "ssl-cert"),
    ("ssl_key", "ssl-key"),
];

/// The longest of texts that people give.
const LONGEST: usize = 255;

/// A server's facts, but its password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    /// As they were given.
    pub(crate) parameters: Parameters,
}

/// Parameters of a stream: flags of `bintrail stream`. What is left out, or `null`, is as that command has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Parameters {
    /// Schemas to keep; none: all but the server's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schemas: Option<Vec<String>>,
    /// Tables to keep, as `table` or `schema.table`; none: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tables: Option<Vec<String>>,
    /// Row changes that are written at once while the index is busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub(crate) batch_size: Option<u64>,
    /// Longest time between two checkpoints, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3600)]
    pub(crate) checkpoint_interval: Option<u64>,
    /// `disabled`, `preferred`, `required`, `verify-ca` or `verify-identity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ssl_mode: Option<String>,
    /// PEM file of the authorities to believe; an absolute path, as are the next two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ssl_ca: Option<String>,
    /// PEM file with a client certificate; needs `ssl_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ssl_cert: Option<String>,
    /// PEM file with its private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ssl_key: Option<String>,
}

/// Parameters as a stream has them, defaults and all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Effective {
    pub(crate) schemas: Vec<String>,
    pub(crate) tables: Vec<String>,
    pub(crate) batch_size: u64,
    pub(crate) checkpoint_interval: u64,
    pub(crate) ssl_mode: String,
    pub(crate) ssl_ca: Option<String>,
    pub(crate) ssl_cert: Option<String>,
    pub(crate) ssl_key: Option<String>,
}

/// The command, without the variables of its flags: those of the console's environment are not the stream's.
fn command() -> clap::Command {
    StreamArgs::augment_args(clap::Command::new("stream"))
        .mut_args(|arg| arg.env(Resettable::Reset))
}

impl Parameters {
    /// The values that are given, by the names of their flags.
    fn given(&self) -> Vec<(&'static str, String)> {
        let list = |names: &Option<Vec<String>>| names.as_ref().map(|names| names.join(","));
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let values = [
            list(&self.schemas).filter(|names| !names.is_empty()),
            list(&self.tables).filter(|names| !names.is_empty()),
            number(self.batch_size),
            number(self.checkpoint_interval),
            self.ssl_mode.clone(),
            self.ssl_ca.clone(),
            self.ssl_cert.clone(),
            self.ssl_key.clone(),
        ];
        FLAGS
            .iter()
            .zip(values)
            .filter_map(|((_, flag), value)| Some((*flag, value?)))
            .collect()
    }

    /// What they come to, by the flags themselves.
    pub(crate) fn effective(&self) -> Result<Effective, String> {
        let args = self.args("mysql://localhost/")?;
        let server = args.source.server;
        let path = |path: Option<std::path::PathBuf>| path.map(|path| path.display().to_string());
        let tls = bintrail_engine::tls::TlsOptions {
            mode: server.tls.ssl_mode,
            ca: server.tls.ssl_ca.clone(),
            ..Default::default()
        };
        Ok(Effective {
            schemas: server.keep.schemas,
            tables: server.keep.tables,
            batch_size: args.pace.batch_size,
            checkpoint_interval: args.pace.checkpoint,
            ssl_mode: tls.mode().name().to_owned(),
            ssl_ca: path(server.tls.ssl_ca),
            ssl_cert: path(server.tls.ssl_cert),
            ssl_key: path(server.tls.ssl_key),
        })
    }

    /// As `bintrail stream` would read them.
    pub(crate) fn args(&self, dsn: &str) -> Result<StreamArgs, String> {
        let given = self
            .given()
            .into_iter()
            .chain([("source-dsn", dsn.to_owned())]);
        let flags = given.map(|(flag, value)| OsString::from(format!("--{flag}={value}")));
        let arguments = std::iter::once("stream".into()).chain(flags);
        command()
            .try_get_matches_from(arguments)
            .and_then(|matches| StreamArgs::from_arg_matches(&matches))
            .map_err(|error| refused(&error))
    }

    /// The variables that set them for `bintrail stream`.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        self.given()
            .into_iter()
            .map(|(flag, value)| (variable(flag), value))
            .collect()
    }

    fn check(&self) -> Result<(), String> {
        for (field, names) in [("schemas", &self.schemas), ("tables", &self.tables)] {
            for name in names.iter().flatten() {
                text(&format!("parameters.{field}"), name)?;
                // A flag separates them by commas, and takes the space around them off.
                if name.contains(',') || name.trim() != name || name.is_empty() {
                    return Err(format!(
                        "parameters.{field}: a name is neither empty, nor has it a comma, or space around it"
                    ));
                }
            }
        }
        for (field, path) in [
            ("ssl_ca", &self.ssl_ca),
            ("ssl_cert", &self.ssl_cert),
            ("ssl_key", &self.ssl_key),
        ] {
            let Some(path) = path else { continue };
            text(&format!("parameters.{field}"), path)?;
            if !path.starts_with('/') {
                return Err(format!("parameters.{field}: it is an absolute path"));
            }
        }
        if let Some(mode) = &self.ssl_mode {
            text("parameters.ssl_mode", mode)?;
        }
        if self.ssl_cert.is_some() != self.ssl_key.is_some() {
            return Err(
                "parameters.ssl_cert, parameters.ssl_key: one is of no use without the other"
                    .to_owned(),
            );
        }
        self.effective().map(drop)
    }
}

/// The environment variable of a flag of `bintrail stream`.
pub(crate) fn variable(flag: &str) -> String {
    let command = StreamArgs::augment_args(clap::Command::new("stream"));
    let variable = command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(flag))
        .and_then(clap::Arg::get_env);
    variable.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// clap's complaint, in the words of the API.
fn refused(error: &clap::Error) -> String {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.split([' ', '=']).next().unwrap_or_default(),
        _ => "",
    };
    let field = FLAGS
        .iter()
        .find(|(_, name)| flag.strip_prefix("--") == Some(name))
        .map_or("parameters".to_owned(), |(field, _)| {
            format!("parameters.{field}")
        });
    let why = std::error::Error::source(error)
        .map_or_else(|| error.kind().to_string(), ToString::to_string);
    format!("{field}: {why}")
}

fn text(field: &str, value: &str) -> Result<(), String> {
    if value.chars().any(char::is_control) {
        return Err(format!("{field}: it has a control character"));
    }
    if value.len() > LONGEST {
        return Err(format!("{field}: it has more than {LONGEST} bytes"));
    }
    Ok(())
}

/// A name that may stand in a path, an address and a unit's name as it is.
pub(crate) fn check_id(server_id: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let well = (1..=63).contains(&server_id.len())
        && server_id.bytes().all(|byte| plain(byte) || byte == b'-')
        && server_id.bytes().next().is_some_and(plain);
    well.then_some(()).ok_or_else(|| {
        "server_id: it is 1 to 63 small letters, digits and hyphens, and begins with no hyphen"
            .to_owned()
    })
}

impl Definition {
    pub(crate) fn check(&self) -> Result<(), String> {
        text("name", &self.name)?;
        if self.name.trim().is_empty() {
            return Err("name: it is not empty".to_owned());
        }
        let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
        if self.host.is_empty() || self.host.len() > LONGEST || !self.host.bytes().all(host) {
            return Err("host: it is a name or an address".to_owned());
        }
        if self.port == 0 {
            return Err("port: it is from 1 to 65535".to_owned());
        }
        text("user", &self.user)?;
        // Whatever the form of a DSN makes of them, it has to be what was given.
        let dsn = MySqlDsn::parse(&self.dsn("a:@/%")).map_err(|error| format!("host: {error}"))?;
        if (&*dsn.host, dsn.port, &*dsn.user) != (&*self.host, self.port, &*self.user)
            || dsn.password.expose() != "a:@/%"
            || !dsn.more_hosts.is_empty()
        {
            return Err("host: it is a name or an address".to_owned());
        }
        self.parameters.check()
    }

    /// Its DSN.
    pub(crate) fn dsn(&self, password: &str) -> String {
        let (user, password) = (encode(&self.user), encode(password));
        let login = match &*password {
            "" => user,
            password => format!("{user}:{password}"),
        };
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        format!("mysql://{login}@{host}:{}/", self.port)
    }
}

/// With `%` and two digits in place of all that could mean something.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(json: &str) -> Result<Effective, String> {
        let parameters: Parameters = serde_json::from_str(json).map_err(|e| e.to_string())?;
        parameters.check()?;
        parameters.effective()
    }

    #[test]
    fn what_is_not_given_is_as_the_command_has_it() {
        let effective = parameters("{}").unwrap();
        let command = command().try_get_matches_from(["stream", "--source-dsn=x"]);
        let args = StreamArgs::from_arg_matches(&command.unwrap()).unwrap();
        assert_eq!(effective.batch_size, args.pace.batch_size);
        assert_eq!(effective.checkpoint_interval, args.pace.checkpoint);
        assert_eq!(effective.ssl_mode, "preferred");
        assert!(effective.schemas.is_empty() && effective.tables.is_empty());
        let given = parameters(
            r#"{"schemas": ["shop", "-x"], "tables": ["a.b"], "batch_size": 7, "checkpoint_interval": 3600,
                "ssl_ca": "/etc/ca.pem"}"#,
        )
        .unwrap();
        assert_eq!(given.schemas, ["shop", "-x"]);
        assert_eq!((given.batch_size, given.checkpoint_interval), (7, 3600));
        assert_eq!(given.ssl_mode, "verify-ca");
        assert_eq!(
            parameters(r#"{"schemas": [], "ssl_mode": "VERIFY_FULL"}"#)
                .unwrap()
                .ssl_mode,
            "verify-identity"
        );
    }

    #[test]
    fn what_the_command_refuses_is_refused_by_its_field() {
        for (json, said) in [
            (r#"{"batch_size": 0}"#, "parameters.batch_size: 0 is not in"),
            (
                r#"{"checkpoint_interval": 3601}"#,
                "parameters.checkpoint_interval: 3601 is not in",
            ),
            (
                r#"{"ssl_mode": "always"}"#,
                "parameters.ssl_mode: it is disabled,",
            ),
            (r#"{"ssl_cert": "/c"}"#, "without the other"),
            (r#"{"ssl_ca": "ca.pem"}"#, "absolute"),
            (r#"{"schemas": ["a,b"]}"#, "comma"),
            (r#"{"tables": [""]}"#, "empty"),
            (r#"{"tables": ["a\nBINTRAIL_RESET=1"]}"#, "control"),
            (r#"{"reset": true}"#, "unknown field"),
            (r#"{"batch_size": -1}"#, "invalid value"),
        ] {
            let error = parameters(json).unwrap_err();
            assert!(error.contains(said), "{json}: {error}");
        }
    }

    #[test]
    fn every_parameter_has_its_variable() {
        for (_, flag) in FLAGS {
            assert!(variable(flag).starts_with("BINTRAIL_"), "{flag}");
        }
        let parameters = Parameters {
            tables: Some(vec!["a".to_owned(), "b.c".to_owned()]),
            checkpoint_interval: Some(2),
            ..Parameters::default()
        };
        assert_eq!(
            parameters.environment(),
            [
                ("BINTRAIL_TABLES".to_owned(), "a,b.c".to_owned()),
                ("BINTRAIL_CHECKPOINT".to_owned(), "2".to_owned())
            ]
        );
    }

    #[test]
    fn a_server_is_what_its_dsn_says() {
        let server = |host: &str, user: &str| Definition {
            name: "x".to_owned(),
            host: host.to_owned(),
            port: 3307,
            user: user.to_owned(),
            parameters: Parameters::default(),
        };
        for (host, user) in [
            ("db.example", "u"),
            ("192.0.2.1", "a:b@c/d?e=f%41ü"),
            ("2001:db8::1", ""),
        ] {
            let server = server(host, user);
            server.check().unwrap();
            let dsn = MySqlDsn::parse(&server.dsn("p@:/?#%ü ")).unwrap();
            assert_eq!((&*dsn.host, &*dsn.user), (host, user));
            assert_eq!(dsn.password.expose(), "p@:/?#%ü ");
        }
        for host in [
            "",
            "a b",
            "a,b",
            "a/b",
            "a@b",
            "a?ssl-mode=disabled",
            "a:1,b",
            "tcp(a)",
            "a\n",
            "ü",
        ] {
            assert!(server(host, "u").check().is_err(), "{host}");
        }
        assert!(server("a", "u\0").check().is_err());
        for (id, well) in [
            ("shop", true),
            ("a-1", true),
            ("0", true),
            ("", false),
            ("-a", false),
            ("A", false),
            ("a.b", false),
            ("..", false),
            ("a/b", false),
            ("a@b", false),
            (&*"a".repeat(64), false),
        ] {
            assert_eq!(check_id(id).is_ok(), well, "{id}");
        }
    }
}
