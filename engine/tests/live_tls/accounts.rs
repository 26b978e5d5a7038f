//! Every way of proving who one is.

use bintrail_engine::source::Error;
use bintrail_engine::source::connection::ConnectOptions;
use bintrail_engine::tls::SslMode;
use bintrail_testkit::client::Client;
use bintrail_testkit::server::Server;

use crate::certificates::{Authority, Directory};
use crate::{PASSWORD, login, options, refusal};

const MODES: [SslMode; 2] = [SslMode::Disabled, SslMode::Required];

fn run(client: &mut Client, statements: &[&str]) {
    for sql in statements {
        client
            .run(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

fn user(server: &Server, name: &str, password: &str, mode: SslMode) -> ConnectOptions {
    let mut options = options(server, name, password);
    options.tls.mode = Some(mode);
    options
}

#[test]
fn mysql_plugins() {
    let server = Server::start("mysql97", "accounts", &[]).unwrap();
    let mut client = server.client().unwrap();
    for plugin in ["caching_sha2_password", "sha256_password"] {
        run(
            &mut client,
            &[
                &format!("CREATE USER {plugin} IDENTIFIED WITH {plugin} BY '{PASSWORD}'"),
                &format!("CREATE USER empty_{plugin} IDENTIFIED WITH {plugin} BY ''"),
            ],
        );
        for mode in MODES {
            // Cold first, then warm.
            run(&mut client, &["FLUSH PRIVILEGES"]);
            for _ in 0..2 {
                let encrypted = login(&user(&server, plugin, PASSWORD, mode)).unwrap();
                assert_eq!(encrypted, mode == SslMode::Required);
            }
            for wrong in ["", "wrong"] {
                let error = refusal(&user(&server, plugin, wrong, mode));
                assert!(matches!(error, Error::AccessDenied(_)), "{plugin}: {error}");
            }
            let empty = format!("empty_{plugin}");
            login(&user(&server, &empty, "", mode)).unwrap();
            let error = refusal(&user(&server, &empty, PASSWORD, mode));
            assert!(matches!(error, Error::AccessDenied(_)), "{plugin}: {error}");
        }
    }
}

#[test]
fn accounts_that_may_not_come_in() {
    let server = Server::start(
        "mysql97",
        "refused",
        &[
            "--authentication-webauthn-rp-id=localhost",
            "--early-plugin-load=",
            "--plugin-load-add=authentication_webauthn.so",
        ],
    )
    .unwrap();
    let mut client = server.client().unwrap();
    run(
        &mut client,
        &[
            &format!("CREATE USER locked IDENTIFIED BY '{PASSWORD}' ACCOUNT LOCK"),
            &format!("CREATE USER expired IDENTIFIED BY '{PASSWORD}' PASSWORD EXPIRE"),
            &format!(
                "CREATE USER tried IDENTIFIED BY '{PASSWORD}' FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME 1"
            ),
            &format!(
                "CREATE USER twice IDENTIFIED BY '{PASSWORD}' AND IDENTIFIED WITH authentication_webauthn"
            ),
        ],
    );
    for mode in MODES {
        let error = refusal(&user(&server, "locked", PASSWORD, mode));
        assert!(
            matches!(&error, Error::AccountLocked(error) if error.code == 3118),
            "{error}"
        );
        let error = refusal(&user(&server, "expired", PASSWORD, mode));
        assert!(
            matches!(&error, Error::PasswordExpired(error) if error.code == 1862),
            "{error}"
        );
        let error = refusal(&user(&server, "twice", PASSWORD, mode));
        assert!(matches!(&error, Error::MultiFactor), "{error}");
    }
    let error = refusal(&user(&server, "tried", "wrong", SslMode::Required));
    assert!(
        matches!(&error, Error::AccountLocked(error) if error.code == 3955),
        "{error}"
    );
}

/// Where a server lets an account with an expired password in, it may do nothing.
#[test]
fn an_expired_password_that_is_let_in() {
    let server = Server::start(
        "mysql97",
        "expired",
        &["--disconnect-on-expired-password=OFF"],
    )
    .unwrap();
    run(
        &mut server.client().unwrap(),
        &[&format!(
            "CREATE USER expired IDENTIFIED BY '{PASSWORD}' PASSWORD EXPIRE"
        )],
    );
    let error = refusal(&user(&server, "expired", PASSWORD, SslMode::Required));
    assert!(
        matches!(&error, Error::PasswordExpired(error) if error.code == 1820),
        "{error}"
    );
}

/// Before MariaDB 11 there is no key for an empty password, and nobody can log in.
#[test]
fn ed25519_with_an_empty_password() {
    let server =
        Server::start("mariadb11", "keyless", &["--plugin-load-add=auth_ed25519"]).unwrap();
    run(
        &mut server.client().unwrap(),
        &["CREATE USER keyless@localhost IDENTIFIED VIA ed25519 USING PASSWORD('')"],
    );
    login(&user(&server, "keyless", "", SslMode::Disabled)).unwrap();
    let error = refusal(&user(&server, "keyless", "wrong", SslMode::Disabled));
    assert!(matches!(error, Error::AccessDenied(_)), "{error}");
}

#[test]
fn native_password() {
    let server = Server::start("mysql56", "native", &[]).unwrap();
    let mut client = server.client().unwrap();
    run(
        &mut client,
        &[
            &format!("CREATE USER native@localhost IDENTIFIED BY '{PASSWORD}'"),
            "CREATE USER empty@localhost",
        ],
    );
    assert!(!login(&user(&server, "native", PASSWORD, SslMode::Preferred)).unwrap());
    assert!(!login(&user(&server, "empty", "", SslMode::Preferred)).unwrap());
    let error = refusal(&user(&server, "native", "wrong", SslMode::Preferred));
    assert!(matches!(error, Error::AccessDenied(_)), "{error}");
    let error = refusal(&user(&server, "native", PASSWORD, SslMode::Required));
    assert!(matches!(error, Error::TlsNotOffered), "{error}");
}

#[test]
fn mariadb_plugins() {
    let directory = Directory::new("plugins");
    let ours = Authority::new(&directory, "ours");
    let pair = ours.sign(&directory, "server", &[], false);
    let server = Server::start(
        "mariadb",
        "maria",
        &[
            "--plugin-load-add=auth_ed25519",
            "--plugin-load-add=auth_pam",
            "--pam-use-cleartext-plugin=ON",
            &format!("--ssl-cert={}", pair.cert.display()),
            &format!("--ssl-key={}", pair.key.display()),
        ],
    )
    .unwrap();
    let mut client = server.client().unwrap();
    run(
        &mut client,
        &[
            &format!("CREATE USER native@localhost IDENTIFIED BY '{PASSWORD}'"),
            &format!(
                "CREATE USER ed@localhost IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}')"
            ),
            "CREATE USER pam@localhost IDENTIFIED VIA pam USING 'bintrail'",
            &format!("CREATE USER locked@localhost IDENTIFIED BY '{PASSWORD}' ACCOUNT LOCK"),
            &format!("CREATE USER expired@localhost IDENTIFIED BY '{PASSWORD}' PASSWORD EXPIRE"),
        ],
    );
    for name in ["native", "ed"] {
        login(&user(&server, name, PASSWORD, SslMode::Preferred)).unwrap();
        for wrong in ["", "wrong"] {
            let error = refusal(&user(&server, name, wrong, SslMode::Preferred));
            assert!(matches!(error, Error::AccessDenied(_)), "{name}: {error}");
        }
    }
    // One nonce in 256 ends with a NUL, which is the nonce's.
    for _ in 0..1000 {
        login(&user(&server, "ed", PASSWORD, SslMode::Disabled)).unwrap();
    }
    // PAM gets the password in clear, and knows nobody here.
    let error = refusal(&user(&server, "pam", PASSWORD, SslMode::Disabled));
    assert!(
        matches!(&error, Error::PasswordInClear("mysql_clear_password")),
        "{error}"
    );
    let error = refusal(&user(&server, "pam", PASSWORD, SslMode::Required));
    assert!(matches!(error, Error::AccessDenied(_)), "{error}");
    let error = refusal(&user(&server, "locked", PASSWORD, SslMode::Preferred));
    assert!(
        matches!(&error, Error::AccountLocked(error) if error.code == 4151),
        "{error}"
    );
    let error = refusal(&user(&server, "expired", PASSWORD, SslMode::Preferred));
    assert!(matches!(&error, Error::PasswordExpired(_)), "{error}");
}
