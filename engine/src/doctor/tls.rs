//! Is a connection safe from those who listen, and from those who pose as the server?

use std::net::IpAddr;

use crate::tls::SslMode;

use super::finding::{Finding, Fix};

/// `prefix` is that of the flags: none for the source, `index-` for the index.
pub(super) fn judge(encrypted: bool, mode: SslMode, host: &str, prefix: &str) -> Finding {
    const CHECK: &str = "tls";
    match (encrypted, mode) {
        (true, _) if mode.verifies() => {
            Finding::ok(CHECK, "encrypted, and the server's certificate is verified")
        }
        (_, _) if stays_here(host) => {
            let not = if encrypted { "" } else { "not " };
            Finding::ok(CHECK, format!("{not}encrypted, and stays on this machine"))
        }
        (true, _) => Finding::info(
            CHECK,
            "encrypted; the server's certificate is not checked, so another could pose as the server",
        )
        .fix(Fix::Flag(format!("--{prefix}ssl-ca=FILE"))),
        (false, SslMode::Disabled) => Finding::warning(
            CHECK,
            "not encrypted: rows can be read by whoever listens on the way",
        )
        .fix(Fix::Flag(format!("--{prefix}ssl-mode=required"))),
        (false, _) => Finding::warning(
            CHECK,
            "not encrypted, since the server offers no TLS: rows can be read by whoever listens on the way",
        )
        .fix(Fix::Advice(
            "give the server a certificate (ssl_cert, ssl_key)".to_owned(),
        )),
    }
}

fn stays_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    #[test]
    fn what_leaves_the_machine_should_be_encrypted() {
        use Severity::{Info, Ok, Warning};
        for (encrypted, mode, host, severity) in [
            (true, SslMode::VerifyCa, "db", Ok),
            (true, SslMode::Preferred, "db", Info),
            (false, SslMode::Preferred, "db", Warning),
            (false, SslMode::Disabled, "10.0.0.1", Warning),
            (false, SslMode::Preferred, "127.0.0.1", Ok),
            (false, SslMode::Disabled, "::1", Ok),
            (false, SslMode::Disabled, "localhost", Ok),
        ] {
            let finding = judge(encrypted, mode, host, "index-");
            assert_eq!(finding.severity, severity, "{mode:?} {host}");
        }
        let fix = judge(true, SslMode::Required, "db", "index-").fix;
        assert_eq!(fix[0].text(), "--index-ssl-ca=FILE");
    }
}
