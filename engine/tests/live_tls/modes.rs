//! Every ssl-mode with every kind of certificate.

use std::path::Path;
use std::process::{Command, Stdio};

use bintrail_engine::index::ErrorKind;
use bintrail_engine::source::Error;
use bintrail_engine::source::connection::ConnectOptions;
use bintrail_engine::tls::{SslMode, TlsOptions};
use bintrail_testkit::client::Client;
use bintrail_testkit::server::Server;

use crate::certificates::{Authority, Directory, Pair, as_pkcs1};
use crate::index::open;
use crate::{PASSWORD, USER, login, options, refusal};

const MODES: [(SslMode, &str); 5] = [
    (SslMode::Disabled, "DISABLED"),
    (SslMode::Preferred, "PREFERRED"),
    (SslMode::Required, "REQUIRED"),
    (SslMode::VerifyCa, "VERIFY_CA"),
    (SslMode::VerifyIdentity, "VERIFY_IDENTITY"),
];

fn tls(mode: SslMode, ca: &Path, client: Option<&Pair>) -> TlsOptions {
    TlsOptions {
        mode: Some(mode),
        ca: Some(ca.to_owned()),
        cert: client.map(|pair| pair.cert.clone()),
        key: client.map(|pair| pair.key.clone()),
    }
}

fn with(server: &Server, tls: &TlsOptions) -> ConnectOptions {
    let mut options = options(server, USER, PASSWORD);
    options.tls = tls.clone();
    options
}

/// What MySQL's own client gets with the same options: no connection, or one with or without TLS.
fn mysql_client(server: &Server, mode: &str, tls: &TlsOptions) -> Option<bool> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/servers");
    let path = Command::new(program)
        .args(["tool", "mysql97", "mysql"])
        .output()
        .unwrap();
    let path = String::from_utf8(path.stdout).unwrap();
    let mut command = Command::new(path.trim());
    command
        .args([
            "--no-defaults",
            "-h127.0.0.1",
            "-BN",
            "-e",
            "SHOW STATUS LIKE 'Ssl_cipher'",
        ])
        .args([format!("-P{}", server.port), format!("-u{USER}")])
        .arg(format!("--ssl-mode={mode}"))
        .arg("--get-server-public-key")
        .env("MYSQL_PWD", PASSWORD)
        .stdin(Stdio::null());
    for (name, path) in [("ca", &tls.ca), ("cert", &tls.cert), ("key", &tls.key)] {
        if let Some(path) = path {
            command.arg(format!("--ssl-{name}={}", path.display()));
        }
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    output
        .status
        .success()
        .then(|| text.trim_end() != "Ssl_cipher")
}

/// What the index link makes of them: its error's kind when it cannot be opened.
fn index(server: &Server, tls: &TlsOptions) -> Result<(), (ErrorKind, String)> {
    open(server, USER, PASSWORD, tls)
}

fn account(client: &mut Client, require: &str) {
    for sql in [
        format!("DROP USER IF EXISTS {USER}"),
        format!("CREATE USER {USER} IDENTIFIED BY '{PASSWORD}' {require}"),
        format!("GRANT ALL ON *.* TO {USER}"),
    ] {
        client.run(&sql).unwrap();
    }
}

/// Has the server show another certificate from now on.
fn show(client: &mut Client, ca: &Path, pair: &Pair) {
    for (name, path) in [("ca", ca), ("cert", &pair.cert), ("key", &pair.key)] {
        client
            .run(&format!("SET GLOBAL ssl_{name} = '{}'", path.display()))
            .unwrap();
    }
    client.run("ALTER INSTANCE RELOAD TLS").unwrap();
}

#[test]
fn each_mode_with_each_certificate() {
    let directory = Directory::new("modes");
    let server = Server::start("mysql97", "modes", &[]).unwrap();
    let mut client = server.client().unwrap();
    account(&mut client, "");
    let ours = Authority::new(&directory, "ours");
    let other = Authority::new(&directory, "other");
    let sign = |label, hosts: &[&str], expired| ours.sign(&directory, label, hosts, expired);
    let certificates = [
        ("good", sign("good", &["localhost", "127.0.0.1"], false), ""),
        (
            "another host",
            sign("host", &["db.example.com"], false),
            "for db.example.com and not for 127.0.0.1",
        ),
        ("no host", sign("none", &[], false), "names no host"),
    ];
    let made_by_itself = server.datadir.join("ca.pem");

    // What MySQL made for itself is there first.
    let mut verdicts = vec![("its own", made_by_itself.clone(), "names no host")];
    verdicts.push(("its own", other.cert.clone(), "ca.pem"));
    let mut seen = 0;
    for (about, ca, words) in &verdicts {
        seen += compare(&server, about, ca, words);
    }
    for (about, pair, words) in &certificates {
        show(&mut client, &ours.cert, pair);
        seen += compare(&server, about, &ours.cert, words);
        seen += compare(&server, about, &other.cert, "ca.pem");
    }
    // MySQL starts with such a certificate, and does not load it later.
    let pair = sign("expired", &["127.0.0.1"], true);
    let expired = Server::start(
        "mysql97",
        "expired",
        &[
            &format!("--ssl-ca={}", ours.cert.display()),
            &format!("--ssl-cert={}", pair.cert.display()),
            &format!("--ssl-key={}", pair.key.display()),
        ],
    )
    .unwrap();
    account(&mut expired.client().unwrap(), "");
    seen += compare(&expired, "expired", &ours.cert, "has expired");
    seen += compare(&expired, "expired", &other.cert, "");
    assert_eq!(
        seen,
        // For each certificate, by its own authority and by another.
        (1 + 2) + 2 + (1 + 2) + (1 + 2) + (2 + 2),
        "each mode is refused where it has to be, and nowhere else"
    );

    // Without --ssl-ca the system's authorities are believed, none of which knows this server.
    let system = TlsOptions {
        mode: Some(SslMode::VerifyCa),
        ..TlsOptions::default()
    };
    let error = refusal(&with(&server, &system));
    assert!(
        matches!(&error, Error::TlsFailed(text) if text.contains("ssl-ca")),
        "{error}"
    );
    assert_eq!(index(&server, &system).unwrap_err().0, ErrorKind::Tls);
}

/// Compares each mode with MySQL's client, and counts those that are refused.
fn compare(server: &Server, about: &str, ca: &Path, words: &str) -> usize {
    let mut refused = 0;
    for (mode, name) in MODES {
        let tls = tls(mode, ca, None);
        let theirs = mysql_client(server, name, &tls);
        let about = format!("{about} with {} in {name}", ca.display());
        match login(&with(server, &tls)) {
            Ok(encrypted) => {
                assert_eq!(theirs, Some(encrypted), "{about}");
                index(server, &tls).unwrap_or_else(|error| panic!("{about}: {error:?}"));
            }
            Err(error) => {
                refused += 1;
                assert_eq!(theirs, None, "{about}: {error}");
                assert!(
                    matches!(&error, Error::TlsFailed(text) if text.contains(words)),
                    "{about}: {error}"
                );
                let (kind, text) = index(server, &tls).unwrap_err();
                assert_eq!(kind, ErrorKind::Tls, "{about}: {text}");
                assert!(
                    text.contains(words) && text.lines().count() == 1,
                    "{about}: {text}"
                );
            }
        }
    }
    refused
}

#[test]
fn a_server_that_demands_a_client_certificate() {
    let directory = Directory::new("mutual");
    let server = Server::start("mysql97", "mutual", &[]).unwrap();
    let mut client = server.client().unwrap();
    account(&mut client, "REQUIRE X509");
    let ours = Authority::new(&directory, "ours");
    let other = Authority::new(&directory, "other");
    show(
        &mut client,
        &ours.cert,
        &ours.sign(&directory, "server", &["127.0.0.1"], false),
    );

    let good = ours.sign(&directory, "client", &[], false);
    let refused_by_tls = |error: &Error| matches!(error, Error::TlsFailed(text) if text.contains("client's certificate"));
    let mut outcomes = [0; 3];
    for (about, pair) in [
        ("its own", Some(good.clone())),
        ("none", None),
        (
            "another authority's",
            Some(other.sign(&directory, "client", &[], false)),
        ),
        (
            "an expired one",
            Some(ours.sign(&directory, "old", &[], true)),
        ),
    ] {
        for (mode, name) in MODES {
            let tls = tls(mode, &ours.cert, pair.as_ref());
            let about = format!("{about} in {name}");
            let theirs = mysql_client(&server, name, &tls);
            let outcome = match login(&with(&server, &tls)) {
                Ok(encrypted) => {
                    assert_eq!((theirs, encrypted), (Some(true), true), "{about}");
                    index(&server, &tls).unwrap_or_else(|error| panic!("{about}: {error:?}"));
                    0
                }
                Err(error) => {
                    assert_eq!(theirs, None, "{about}: {error}");
                    let by_tls = refused_by_tls(&error);
                    assert!(
                        by_tls || matches!(error, Error::AccessDenied(_)),
                        "{about}: {error}"
                    );
                    let (kind, text) = index(&server, &tls).unwrap_err();
                    let expected = if by_tls {
                        ErrorKind::Tls
                    } else {
                        ErrorKind::AccessDenied
                    };
                    assert_eq!(kind, expected, "{about}: {text}");
                    if by_tls { 2 } else { 1 }
                }
            };
            outcomes[outcome] += 1;
        }
    }
    // In clear, and with none, the account does not let in. A bad one ends the handshake, and nothing is tried in clear.
    assert_eq!(outcomes, [4, 4 + 4, 8]);

    let unusable = |pair: Pair, words: &str| {
        let tls = tls(SslMode::Required, &ours.cert, Some(&pair));
        let error = refusal(&with(&server, &tls));
        assert!(matches!(error, Error::TlsSetup(_)), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        let (kind, text) = index(&server, &tls).unwrap_err();
        assert!(kind == ErrorKind::Tls && text.contains(words), "{text}");
    };
    let (cert, key) = (good.cert.clone(), good.key.clone());
    unusable(
        Pair {
            cert: cert.clone(),
            key: directory.file("missing"),
        },
        "missing",
    );
    unusable(
        Pair {
            cert: key.clone(),
            key: key.clone(),
        },
        "holds no certificate",
    );
    unusable(
        Pair {
            cert: cert.clone(),
            key: cert.clone(),
        },
        "holds no private key",
    );
    let other_key = other.sign(&directory, "else", &[], false).key;
    unusable(
        Pair {
            cert: cert.clone(),
            key: other_key,
        },
        "is not that of the certificate",
    );
    for (name, text) in [
        (
            "pkcs8.pem",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
        ),
        (
            "pkcs1.pem",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMIIB\n\
             -----END RSA PRIVATE KEY-----\n",
        ),
    ] {
        let key = directory.write(name, text);
        unusable(
            Pair {
                cert: cert.clone(),
                key,
            },
            "openssl pkey",
        );
    }
}

#[test]
fn a_server_without_tls_and_one_that_demands_it() {
    let server = Server::start("mysql97", "off", &["--tls-version="]).unwrap();
    let mut client = server.client().unwrap();
    account(&mut client, "");
    let ca = server.datadir.join("ca.pem");
    for (mode, name) in MODES {
        let tls = TlsOptions {
            mode: Some(mode),
            ..TlsOptions::default()
        };
        let theirs = mysql_client(&server, name, &tls);
        match login(&with(&server, &tls)) {
            Ok(encrypted) => {
                assert_eq!(theirs, Some(encrypted), "{name}");
                index(&server, &tls).unwrap();
            }
            Err(error) => {
                assert_eq!(theirs, None, "{name}");
                assert!(matches!(error, Error::TlsNotOffered), "{error}");
                assert_eq!(index(&server, &tls).unwrap_err().0, ErrorKind::Tls);
            }
        }
    }
    drop(server);
    assert!(!ca.exists());

    let server = Server::start("mysql97", "demands", &["--require-secure-transport=ON"]).unwrap();
    let root = |mode| {
        let mut options = options(&server, "root", "");
        options.tls.mode = Some(mode);
        options
    };
    assert!(matches!(
        refusal(&root(SslMode::Disabled)),
        Error::TlsDemanded(_)
    ));
    assert!(login(&root(SslMode::Preferred)).unwrap());
}

/// MySQL 5.6 has TLS 1.0 at most.
#[test]
fn a_server_whose_tls_is_too_old() {
    let directory = Directory::new("old");
    let ours = Authority::new(&directory, "ours");
    let pair = ours.sign(&directory, "server", &["127.0.0.1"], false);
    let key = as_pkcs1(&directory, &pair.key);
    let option = |name: &str, path: &Path| format!("--ssl-{name}={}", path.display());
    let server = Server::start(
        "mysql56",
        "old",
        &[
            &option("ca", &ours.cert),
            &option("cert", &pair.cert),
            &option("key", &key),
        ],
    )
    .unwrap();
    for mode in [SslMode::Preferred, SslMode::Required, SslMode::VerifyCa] {
        let mut options = options(&server, "root", "");
        options.tls = tls(mode, &ours.cert, None);
        let error = refusal(&options);
        assert!(
            matches!(&error, Error::TlsFailed(text) if text.contains("newer than 1.1")),
            "{mode:?}: {error}"
        );
        // It is no server for an index, but what it is refused for is TLS, before anything is sent in clear.
        let (kind, text) = open(&server, "root", "", &options.tls).unwrap_err();
        assert_eq!(kind, ErrorKind::Tls, "{mode:?}: {text}");
        assert!(text.contains("newer than 1.1"), "{mode:?}: {text}");
    }
    let mut plain = options(&server, "root", "");
    plain.tls.mode = Some(SslMode::Disabled);
    assert!(!login(&plain).unwrap());
}

#[test]
fn mariadb() {
    let directory = Directory::new("maria");
    let ours = Authority::new(&directory, "ours");
    let other = Authority::new(&directory, "other");
    let pair = ours.sign(&directory, "server", &["127.0.0.1"], false);
    let option = |name: &str, path: &Path| format!("--ssl-{name}={}", path.display());
    let server = Server::start(
        "mariadb",
        "maria-tls",
        &[
            &option("ca", &ours.cert),
            &option("cert", &pair.cert),
            &option("key", &pair.key),
        ],
    )
    .unwrap();
    account(&mut server.client().unwrap(), "");
    for (mode, _) in MODES {
        let encrypted = login(&with(&server, &tls(mode, &ours.cert, None))).unwrap();
        assert_eq!(encrypted, mode != SslMode::Disabled);
    }
    let error = refusal(&with(&server, &tls(SslMode::VerifyCa, &other.cert, None)));
    assert!(matches!(error, Error::TlsFailed(_)), "{error}");
}
