//! The control plane: servers that are registered, each with a stream that a supervisor keeps as it is wanted.

pub(crate) mod definition;
pub(crate) mod identity;
pub(crate) mod process;
pub(crate) mod seal;
pub(crate) mod supervisor;
pub(crate) mod systemd;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bintrail_cli::flags::IndexArgs;
use bintrail_engine::Error;
use bintrail_engine::secret::Secret;
use clap::Args;

use crate::args::{ControlArgs, SupervisorKind};
use crate::store::{Password, Server, Store};
use definition::variable;
use seal::Seal;
use supervisor::Supervisor;

/// What begins the name of a variable that may be named as a password: no other variable can be sent to a server.
pub(crate) const PASSWORD_VARIABLE: &str = "BINTRAIL_PASSWORD_";

/// What begins the names of the variables that are bintrail's own.
pub(crate) const OWN_VARIABLE: &str = "BINTRAIL_";

/// What every stream is started with.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) store: Arc<Store>,
    pub(crate) seal: Seal,
    /// The variables of the index.
    index: Vec<(String, Secret)>,
    /// The file of an index in SQLite.
    pub(crate) index_file: Option<PathBuf>,
    /// `bintrail`.
    pub(crate) program: PathBuf,
    /// The streams' own directories are in it.
    pub(crate) dir: PathBuf,
    /// The files of passwords that may be named are in it.
    passwords: PathBuf,
}

/// The control plane.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) streams: Arc<Streams>,
    pub(crate) supervisor: Box<dyn Supervisor>,
    /// Servers that doctor is at.
    pub(crate) checking: Mutex<HashSet<String>>,
}

impl Control {
    /// Begins to keep the streams as they are wanted.
    pub(crate) fn start(
        args: &ControlArgs,
        store_path: &Path,
        index: &IndexArgs,
        store: Arc<Store>,
    ) -> Result<Self, Error> {
        let key = match &args.key_file {
            Some(path) => path.clone(),
            None => {
                let mut path = store_path.as_os_str().to_owned();
                path.push(".key");
                path.into()
            }
        };
        let seal = Seal::open(&key, &store)?;
        let dir = absolute(&args.streams_dir)?;
        supervisor::make_dir(&dir)?;
        let streams = Arc::new(Streams {
            store,
            seal,
            index: index_environment(index)?,
            index_file: match index.index_dsn.strip_prefix("sqlite:") {
                Some(path) => Some(absolute(Path::new(
                    path.strip_prefix("//").unwrap_or(path),
                ))?),
                None => None,
            },
            program: program(args.bintrail.as_deref())?,
            dir,
            passwords: absolute(&args.password_dir)?,
        });
        let systemd = match args.supervisor {
            SupervisorKind::Systemd => true,
            SupervisorKind::Process => false,
            SupervisorKind::Auto => systemd::is_there(),
        };
        let supervisor: Box<dyn Supervisor> = match systemd {
            true => Box::new(systemd::Systemd::start(
                Arc::clone(&streams),
                absolute(&args.unit_dir)?,
            )?),
            false => Box::new(process::Processes::start(Arc::clone(&streams))?),
        };
        tracing::info!(
            supervisor = supervisor.name(),
            "the console keeps the streams"
        );
        Ok(Self {
            streams,
            supervisor,
            checking: Mutex::default(),
        })
    }
}

impl Streams {
    /// What `bintrail stream` is told of a server: all of it by variables, since arguments are seen by everybody on the
    /// machine.
    pub(crate) fn environment(&self, server: &Server) -> Result<Vec<(String, Secret)>, Error> {
        let definition = &server.definition;
        let mut variables: Vec<(String, Secret)> = self.index.clone();
        let mut set = |flag, value: Secret| variables.push((variable(flag), value));
        if let Password::File(name) = &server.password {
            let path = self.password_file(name);
            set(
                "source-password-file",
                path.display().to_string().into_secret(),
            );
            set("source-dsn", definition.dsn("").into_secret());
        } else {
            let password = self.password(&server.server_id, &server.password)?;
            set(
                "source-dsn",
                definition.dsn(password.expose()).into_secret(),
            );
        }
        let parameters = definition.parameters.environment().into_iter();
        variables.extend(parameters.map(|(name, value)| (name, value.into_secret())));
        Ok(variables)
    }

    /// The password itself.
    pub(crate) fn password(&self, server_id: &str, password: &Password) -> Result<Secret, Error> {
        match password {
            Password::None => Ok(Secret::default()),
            Password::Sealed(sealed) => self.seal.open_sealed(server_id, sealed),
            Password::Env(name) => match std::env::var(name) {
                Ok(text) if !text.is_empty() => Ok(Secret::new(text)),
                _ => Err(Error::Usage(format!(
                    "the console's environment has no {name}, which the password is to be in"
                ))),
            },
            Password::File(name) => {
                let path = self.password_file(name);
                Secret::read_file(&path).map_err(|error| Error::File { path, error })
            }
        }
    }

    fn password_file(&self, name: &str) -> PathBuf {
        self.passwords.join(name)
    }

    /// The directory of a stream.
    pub(crate) fn place(&self, server_id: &str) -> PathBuf {
        self.dir.join(server_id)
    }
}

trait IntoSecret {
    fn into_secret(self) -> Secret;
}

impl IntoSecret for String {
    fn into_secret(self) -> Secret {
        Secret::new(self)
    }
}

/// A name that leads to nothing but a file in the directory of passwords.
pub(crate) fn check_password_file(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let well = (1..=100).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.');
    well.then_some(()).ok_or_else(|| {
        "password_file: it is the name of a file in --password-dir: letters, digits, dots, hyphens and underscores"
            .to_owned()
    })
}

/// A variable that is there for this.
pub(crate) fn check_password_env(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let well = name.len() <= 100
        && name
            .strip_prefix(PASSWORD_VARIABLE)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(plain));
    well.then_some(()).ok_or_else(|| {
        format!(
            "password_env: it is {PASSWORD_VARIABLE} and capital letters, digits and underscores"
        )
    })
}

/// The variables of the index's flags, with paths that hold in any directory.
fn index_environment(index: &IndexArgs) -> Result<Vec<(String, Secret)>, Error> {
    let command = IndexArgs::augment_args(clap::Command::new("index"));
    let name = |flag: &str| {
        let found = command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(flag))
            .and_then(clap::Arg::get_env);
        found.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let dsn = match index.index_dsn.strip_prefix("sqlite:") {
        Some(path) => {
            let path = absolute(Path::new(path.strip_prefix("//").unwrap_or(path)))?;
            format!("sqlite:{}", path.display())
        }
        None => index.index_dsn.clone(),
    };
    let mut variables = vec![(name("index-dsn"), Secret::new(dsn))];
    for (flag, path) in [
        ("index-password-file", &index.index_password_file),
        ("index-ssl-ca", &index.tls.index_ssl_ca),
        ("index-ssl-cert", &index.tls.index_ssl_cert),
        ("index-ssl-key", &index.tls.index_ssl_key),
    ] {
        if let Some(path) = path {
            let path = absolute(path)?.display().to_string();
            variables.push((name(flag), Secret::new(path)));
        }
    }
    if let Some(mode) = index.tls.index_ssl_mode {
        variables.push((name("index-ssl-mode"), Secret::new(mode.name())));
    }
    Ok(variables)
}

/// `bintrail`: the one given, the one beside the console, or the one on the path.
fn program(given: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(given) = given {
        let path = absolute(given)?;
        return match path.is_file() {
            true => Ok(path),
            false => Err(Error::Usage(format!(
                "--bintrail: there is no file {}",
                path.display()
            ))),
        };
    }
    let beside = std::env::current_exe()
        .ok()
        .map(|console| console.with_file_name("bintrail"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join("bintrail"));
    beside
        .into_iter()
        .chain(on_path)
        .find(|path| path.is_absolute() && path.is_file())
        .ok_or_else(|| {
            Error::Usage(
                "--control starts `bintrail stream`, and there is no `bintrail` beside the console or on the PATH: name it \
                 with --bintrail"
                    .to_owned(),
            )
        })
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|error| Error::File {
        path: path.to_owned(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_read_from_nowhere_else() {
        for (name, well) in [
            ("shop", true),
            ("shop.pw_1", true),
            ("", false),
            (".", false),
            ("..", false),
            ("../shop", false),
            ("/etc/shadow", false),
            ("a/b", false),
            ("a\0", false),
        ] {
            assert_eq!(check_password_file(name).is_ok(), well, "{name}");
        }
        for (name, well) in [
            ("BINTRAIL_PASSWORD_SHOP", true),
            ("BINTRAIL_PASSWORD_", false),
            ("BINTRAIL_INDEX_DSN", false),
            ("PATH", false),
            ("BINTRAIL_PASSWORD_a=b", false),
        ] {
            assert_eq!(check_password_env(name).is_ok(), well, "{name}");
        }
    }
}
