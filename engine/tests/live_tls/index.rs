//! Accounts at the index, whose connections are another driver's.

use bintrail_engine::dsn::{IndexDsn, MySqlDsn};
use bintrail_engine::index::{ErrorKind, Index};
use bintrail_engine::secret::Secret;
use bintrail_engine::tls::{SslMode, TlsOptions};
use bintrail_testkit::client::block_on;
use bintrail_testkit::server::Server;

use crate::PASSWORD;

/// Opens an index, and tells the error's kind and text when that cannot be. The text is one line, without the password.
pub(crate) fn open(
    server: &Server,
    user: &str,
    password: &str,
    tls: &TlsOptions,
) -> Result<(), (ErrorKind, String)> {
    let dsn = MySqlDsn {
        user: user.to_owned(),
        password: Secret::new(password),
        password_file: None,
        host: "127.0.0.1".to_owned(),
        port: server.port,
        more_hosts: Vec::new(),
        database: Some("kept".to_owned()),
        tls: tls.clone(),
        unlogged: false,
    };
    block_on(async {
        match Index::open(&IndexDsn::MySql(dsn), true).await {
            Ok(index) => {
                index.close().await.unwrap();
                Ok(())
            }
            Err(error) => {
                let text = error.to_string();
                assert_eq!(text.lines().count(), 1, "{text}");
                assert!(!text.contains(PASSWORD) && !format!("{error:?}").contains(PASSWORD));
                Err((error.kind(), text))
            }
        }
    })
}

fn refused(server: &Server, user: &str, password: &str, tls: &TlsOptions, words: &str) {
    let (kind, text) = open(server, user, password, tls).expect_err(user);
    assert_eq!(kind, ErrorKind::AccessDenied, "{user}: {text}");
    assert!(text.contains(words), "{user}: {text}");
}

#[test]
fn accounts() {
    let server = Server::start(
        "mysql97",
        "index-accounts",
        &[
            "--authentication-webauthn-rp-id=localhost",
            "--early-plugin-load=",
            "--plugin-load-add=authentication_webauthn.so",
        ],
    )
    .unwrap();
    let mut client = server.client().unwrap();
    let mut run = |sql: &str| {
        client
            .run(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    };
    for (name, plugin, password) in [
        ("filled", "caching_sha2_password", PASSWORD),
        ("bare", "caching_sha2_password", ""),
        ("dated", "sha256_password", PASSWORD),
    ] {
        run(&format!(
            "CREATE USER {name} IDENTIFIED WITH {plugin} BY '{password}'"
        ));
        run(&format!("GRANT ALL ON kept.* TO {name}"));
    }
    for (name, how) in [
        ("locked", "ACCOUNT LOCK"),
        ("expired", "PASSWORD EXPIRE"),
        ("twice", "AND IDENTIFIED WITH authentication_webauthn"),
    ] {
        run(&format!(
            "CREATE USER {name} IDENTIFIED BY '{PASSWORD}' {how}"
        ));
    }
    // The server asks for one plugin first, and then for the account's.
    for first in ["caching_sha2_password", "sha256_password"] {
        run(&format!("SET GLOBAL authentication_policy = '{first},,'"));
        for mode in [SslMode::Disabled, SslMode::Required] {
            let tls = TlsOptions {
                mode: Some(mode),
                ..TlsOptions::default()
            };
            // Cold first, then warm.
            run("FLUSH PRIVILEGES");
            for temperature in ["cold", "warm"] {
                open(&server, "filled", PASSWORD, &tls)
                    .unwrap_or_else(|error| panic!("{first}, {mode:?}, {temperature}: {error:?}"));
            }
            open(&server, "bare", "", &tls)
                .unwrap_or_else(|error| panic!("{first}, {mode:?}, bare: {error:?}"));
            for (user, wrong) in [("filled", ""), ("filled", "wrong"), ("bare", PASSWORD)] {
                refused(&server, user, wrong, &tls, "check user and password");
            }
            refused(
                &server,
                "dated",
                PASSWORD,
                &tls,
                "WITH caching_sha2_password",
            );
            refused(&server, "locked", PASSWORD, &tls, "ACCOUNT UNLOCK");
            refused(&server, "expired", PASSWORD, &tls, "expired password");
            // The driver does not say that it could give a second proof, and the server does not say that it wants one.
            refused(
                &server,
                "twice",
                PASSWORD,
                &tls,
                "multi-factor authentication is not supported",
            );
        }
    }
}
