//! Where the console may be listened on, and by which names it may be called.

use std::net::SocketAddr;

use bintrail_engine::Error;

/// Refuses an address that others reach, unless they need a certificate's key to listen in and a secret to enter.
pub(crate) fn check(listen: SocketAddr, tls: bool, credentials: bool) -> Result<(), Error> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    if !tls {
        return Err(Error::Usage(format!(
            "--listen {listen} is open to other machines, and what it serves would cross the network in clear: give \
             --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy or an SSH tunnel"
        )));
    }
    if !credentials {
        return Err(Error::Usage(format!(
            "--listen {listen} is open to other machines, and no password is set: give --token-file, or set the \
             operator's password first, with --listen 127.0.0.1:8090"
        )));
    }
    Ok(())
}

/// How the console is entered.
#[derive(Debug)]
pub(crate) struct Doors {
    pub(crate) names: Names,
    pub(crate) tls: bool,
    /// `/metrics` wants no token.
    pub(crate) open_metrics: bool,
}

/// The names that the console answers to. A page of another site can make its own name lead here, and then read
/// everything as its own (DNS rebinding): but it calls by that name.
#[derive(Debug)]
pub(crate) struct Names(Vec<String>);

impl Names {
    pub(crate) fn new(listen: SocketAddr, more: &[String]) -> Self {
        let mut names = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "[::1]".to_owned(),
        ];
        if !listen.ip().is_unspecified() {
            names.push(name_of(&listen.to_string()).to_owned());
        }
        names.extend(more.iter().map(|name| name.trim().to_ascii_lowercase()));
        Self(names)
    }

    /// May it be called so? The port does not matter: a tunnel has its own.
    pub(crate) fn allow(&self, host: &str) -> bool {
        let name = name_of(host);
        self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// `host[:port]` without the port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_answered_to() {
        let names = Names::new(
            "192.0.2.7:8090".parse().unwrap(),
            &["db.example".to_owned()],
        );
        for (host, allowed) in [
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("127.0.0.1:8090", true),
            ("[::1]", true),
            ("[::1]:8090", true),
            ("192.0.2.7:8090", true),
            ("DB.example:443", true),
            ("db.example.evil.example", false),
            ("evil.example:8090", false),
            ("localhost.evil.example", false),
            ("localhost@evil.example", false),
            ("::1", false),
            ("127.0.0.2", false),
            ("", false),
        ] {
            assert_eq!(names.allow(host), allowed, "{host}");
        }
    }

    #[test]
    fn others_reach_only_what_is_encrypted_and_locked() {
        for (listen, tls, credentials, may) in [
            ("127.0.0.1:8090", false, false, true),
            ("[::1]:8090", false, false, true),
            ("0.0.0.0:8090", false, true, false),
            ("192.0.2.7:8090", true, false, false),
            ("[::]:8090", true, true, true),
        ] {
            let checked = check(listen.parse().unwrap(), tls, credentials);
            assert_eq!(checked.is_ok(), may, "{listen}");
        }
    }
}
