//! TLS as a user asks for it, by flags, by variables and by parameters of the DSN, for both links at once, which `doctor` tells
//! of. What each mode accepts is the engine's tests' (`live_tls`).

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use bintrail_testkit::server::Server;
use serde_json::Value;

use crate::support::{BINTRAIL, PASSWORD, Scratch, index_server, source};

/// A link's DSN, and what its flags begin with.
struct Link {
    dsn: String,
    name: &'static str,
    prefix: &'static str,
}

impl Link {
    fn both(source: &Server, keeper: &Server) -> [Self; 2] {
        let dsn = |user: &str, server: &Server, database: &str| {
            format!(
                "mysql://{user}:{PASSWORD}@127.0.0.1:{}/{database}",
                server.port
            )
        };
        [
            Self {
                dsn: dsn("capture", source, ""),
                name: "source",
                prefix: "",
            },
            Self {
                dsn: dsn("keeper", keeper, "kept"),
                name: "index",
                prefix: "index-",
            },
        ]
    }
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Flags,
    Variables,
    Parameters,
    /// What the parameters say is wrong.
    FlagsOverParameters,
}

/// What becomes of both links: "" when one cannot be, or else what `doctor` says of its encryption.
fn links(
    links: &[Link; 2],
    way: Way,
    options: [&[(&str, &str)]; 2],
    system: &[(&str, &Path)],
) -> [(String, String); 2] {
    let mut command = Command::new(BINTRAIL);
    command
        .args(["doctor", "--format", "json"])
        .stdin(Stdio::null())
        .envs(system.iter().copied());
    for (link, options) in links.iter().zip(options) {
        let mut parameters = Vec::new();
        for (name, value) in options {
            let flag = format!("--{}ssl-{name}", link.prefix);
            match way {
                Way::Flags | Way::FlagsOverParameters => {
                    command.arg(flag).arg(value);
                }
                Way::Variables => {
                    let variable = flag.replace("--", "BINTRAIL_").replace('-', "_");
                    command.env(variable.to_uppercase(), value);
                }
                Way::Parameters => parameters.push(format!("ssl-{name}={value}")),
            }
        }
        if let Way::FlagsOverParameters = way {
            parameters = ["mode=verify-identity", "ca=/missing"]
                .map(|wrong| format!("ssl-{wrong}"))
                .to_vec();
        }
        let variable = format!("BINTRAIL_{}_DSN", link.name.to_uppercase());
        command.env(variable, format!("{}?{}", link.dsn, parameters.join("&")));
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !text.contains(PASSWORD) && !errors.contains(PASSWORD),
        "{text}{errors}"
    );
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{errors}"));
    [&report["sources"][0], &report["index"]].map(|end| {
        let message = |check: &str| {
            let findings = end["findings"].as_array().unwrap();
            let found = findings.iter().find(|finding| finding["check"] == check);
            found.map_or("", |finding| finding["message"].as_str().unwrap())
        };
        (message("tls").to_owned(), message("connection").to_owned())
    })
}

/// Both servers have the certificates that they made for themselves, which name no host.
#[test]
fn each_mode_by_each_way_of_asking_for_it() {
    let (source, keeper) = (source(&[]), index_server(&[]));
    let ends = Link::both(&source, &keeper);
    let ca = |server: &Server| server.datadir.join("ca.pem").display().to_string();
    let (sources, keepers) = (ca(&source), ca(&keeper));
    let verified = "encrypted, and the server's certificate is verified";
    for way in [
        Way::Flags,
        Way::Variables,
        Way::Parameters,
        Way::FlagsOverParameters,
    ] {
        for (mode, own, other) in [
            ("disabled", "not encrypted", "not encrypted"),
            ("preferred", "encrypted, and stays", "encrypted, and stays"),
            ("required", "encrypted, and stays", "encrypted, and stays"),
            ("verify-ca", verified, "no known authority"),
            ("verify-identity", "names no host", "no known authority"),
            ("verify-full", "names no host", "no known authority"),
        ] {
            // Each link is told apart from the other by what it believes.
            for (authorities, words) in [
                ([&sources, &keepers], [own, own]),
                ([&keepers, &keepers], [other, own]),
                ([&sources, &sources], [own, other]),
            ] {
                let options = authorities.map(|ca| [("mode", mode), ("ca", ca.as_str())]);
                let said = links(&ends, way, [&options[0], &options[1]], &[]);
                for (link, ((tls, connection), words)) in ends.iter().zip(said.iter().zip(words)) {
                    let about = format!("{way:?}, {mode}, {}: {tls}; {connection}", link.name);
                    if words.contains("encrypted") {
                        assert!(tls.starts_with(words), "{about}");
                    } else {
                        assert!(tls.is_empty() && connection.contains(words), "{about}");
                    }
                }
            }
        }
    }
}

/// One file for several servers is made of theirs as they are.
#[test]
fn the_authorities_of_several_servers_in_one_file() {
    let (source, keeper) = (source(&[]), index_server(&[]));
    let scratch = Scratch::new();
    let both = scratch.0.join("both.pem");
    let read = |server: &Server| fs::read(server.datadir.join("ca.pem")).unwrap();
    fs::write(&both, [read(&source), read(&keeper)].concat()).unwrap();
    let options = [("mode", "verify-ca"), ("ca", both.to_str().unwrap())];
    let ends = Link::both(&source, &keeper);
    for (tls, connection) in links(&ends, Way::Flags, [&options, &options], &[]) {
        assert!(tls.contains("is verified"), "{tls}; {connection}");
    }
}

/// Without `ssl-ca`, the system's authorities are believed; a system that has none leaves those of the browsers, none of
/// which knows these servers.
#[test]
fn the_authorities_of_the_system() {
    let (source, keeper) = (source(&[]), index_server(&[]));
    let ends = Link::both(&source, &keeper);
    let scratch = Scratch::new();
    let file = |name: &str, servers: &[&Server]| {
        let path = scratch.0.join(name);
        // MySQL ends its files with a NUL.
        let read = |server: &&Server| {
            let pem = fs::read_to_string(server.datadir.join("ca.pem")).unwrap();
            pem.trim_end_matches('\0').to_owned()
        };
        fs::write(&path, servers.iter().map(read).collect::<String>()).unwrap();
        path
    };
    let (both, one, none) = (
        file("both.pem", &[&source, &keeper]),
        file("one.pem", &[&keeper]),
        file("none.pem", &[]),
    );
    let mode: &[(&str, &str)] = &[("mode", "verify-ca")];
    for (authorities, expected) in [
        (&both, [true, true]),
        (&one, [false, true]),
        (&none, [false, false]),
    ] {
        // An empty directory, or else OpenSSL's would be looked at too.
        let system: [(&str, &Path); 2] = [
            ("SSL_CERT_FILE", authorities),
            ("SSL_CERT_DIR", Path::new("/missing")),
        ];
        let said = links(&ends, Way::Flags, [mode, mode], &system);
        for ((tls, connection), expected) in said.iter().zip(expected) {
            let about = format!("{}: {tls}; {connection}", authorities.display());
            if expected {
                assert!(tls.contains("is verified"), "{about}");
            } else {
                assert!(
                    connection.contains("give its authority's certificate as ssl-ca"),
                    "{about}"
                );
            }
        }
    }
}
