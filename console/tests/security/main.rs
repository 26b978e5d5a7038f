//! What must not get in, on every route.

// clippy.toml frees #[test] functions from these, but not the functions they share.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod control;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use support::{Answer, Console, PASSWORD, Place, TOKEN, command, command_at, csrf_of, mode_of};

/// Every route that wants a session or a token, and how it is asked.
const CLOSED: [(&str, &str); 13] = [
    ("GET", "/"),
    ("GET", "/metrics"),
    ("GET", "/tokens"),
    ("GET", "/changes"),
    ("GET", "/schema"),
    ("POST", "/logout"),
    ("GET", "/api/v1/status"),
    ("GET", "/api/v1/live"),
    ("GET", "/api/v1/events"),
    ("GET", "/api/v1/events/export"),
    ("GET", "/api/v1/schema-changes"),
    ("GET", "/api/v1/tables"),
    ("GET", "/view/changes"),
];

/// Every one that does not.
const OPEN: [(&str, &str); 6] = [
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/setup"),
    ("POST", "/setup"),
    ("GET", "/healthz"),
    ("GET", "/assets/console.css"),
];

/// Those of the control plane, which want a session or a token, too; what they answer to nothing where there is nothing.
const CONTROL: [(&str, &str, u16); 16] = [
    ("GET", "/servers", 200),
    ("GET", "/api/v1/openapi.json", 200),
    ("GET", "/api/v1/audit", 200),
    ("GET", "/api/v1/tokens", 200),
    ("POST", "/api/v1/tokens", 415),
    ("DELETE", "/api/v1/tokens/1", 404),
    ("GET", "/api/v1/servers", 200),
    ("POST", "/api/v1/servers", 415),
    ("POST", "/api/v1/servers/test", 415),
    ("GET", "/api/v1/servers/shop", 404),
    ("PATCH", "/api/v1/servers/shop", 415),
    ("DELETE", "/api/v1/servers/shop", 404),
    ("GET", "/api/v1/servers/shop/onboarding-status", 404),
    ("GET", "/api/v1/servers/shop/status", 404),
    ("GET", "/api/v1/servers/shop/stream", 404),
    ("POST", "/api/v1/servers/shop/stream/start", 404),
];
const STOP: (&str, &str, u16) = ("POST", "/api/v1/servers/shop/stream/stop", 404);

fn closed() -> impl Iterator<Item = (&'static str, &'static str, u16)> {
    let looking = CLOSED.into_iter().map(|(method, path)| match path {
        "/logout" => (method, path, 204),
        _ => (method, path, 200),
    });
    looking.chain(CONTROL).chain([STOP])
}

fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let closed = closed().map(|(method, path, _)| (method, path));
    closed.chain(OPEN).chain([("GET", "/nowhere")])
}

/// The routes in the code are those here: none is left out.
#[test]
fn every_route_is_tried() {
    let code = include_str!("../../src/routes.rs");
    let mut routes: Vec<&str> = code
        .split(".route(")
        .skip(1)
        .map(|rest| rest.split('"').nth(1).unwrap())
        .collect();
    let tried = all()
        .map(|(_, path)| path)
        .filter(|path| *path != "/nowhere");
    let tried: Vec<String> = tried
        .map(|path| {
            path.replace("/shop", "/{server_id}")
                .replace("/tokens/1", "/tokens/{token_id}")
                .replace("console.css", "{name}")
        })
        .collect();
    let mut tried: Vec<&str> = tried.iter().map(String::as_str).collect();
    for list in [&mut routes, &mut tried] {
        list.sort_unstable();
        list.dedup();
    }
    assert_eq!(routes, tried);
}

#[test]
fn metrics_are_open_only_where_that_is_said() {
    let place = Place::new();
    let file = place.path("token");
    std::fs::write(&file, TOKEN).unwrap();
    let mut command = command(&place, &place.index());
    command.arg("--token-file").arg(&file).arg("--open-metrics");
    let console = Console::start(&mut command);
    let answer = console.get("/metrics", &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.body.contains("\nbintrail_console_index_up 1\n"),
        "{answer:?}"
    );
    assert_eq!(console.get("/api/v1/status", &[]).status, 401);
}

#[test]
fn nothing_is_shown_without_the_right_token_or_session() {
    let place = Place::new();
    let console = Console::with_token(&place, &place.index());
    let bearer = format!("Bearer {TOKEN}");
    let wrong = [
        String::new(),
        "Bearer ".to_owned(),
        format!("Bearer {}", &TOKEN[1..]),
        format!("Bearer {TOKEN}0"),
        format!("Basic {TOKEN}"),
        TOKEN.to_owned(),
    ];
    for (method, path, status) in closed() {
        let refused = |headers: &[(&str, &str)]| {
            let answer = console.send(method, path, headers, b"");
            assert_eq!(
                answer.status, 401,
                "{method} {path} {headers:?}: {answer:?}"
            );
            assert!(!answer.body.contains("bintrail"), "{answer:?}");
        };
        refused(&[]);
        for token in &wrong {
            refused(&[("authorization", token)]);
        }
        refused(&[("cookie", "bintrail_session=0123456789abcdef")]);
        refused(&[("cookie", "bintrail_session=")]);
        refused(&[("cookie", &format!("bintrail_session={TOKEN}"))]);
        // The token is no parameter.
        let asked = format!("{path}?token={TOKEN}");
        assert_eq!(console.send(method, &asked, &[], b"").status, 401);
        if path != "/api/v1/live" {
            let answer = console.send(method, path, &[("authorization", &bearer)], b"");
            assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        }
        // A browser is shown where to log in.
        if method == "GET" {
            let answer = console.get(path, &[("accept", "text/html,*/*")]);
            assert_eq!(
                (answer.status, answer.header("location")),
                (303, Some("/login"))
            );
        }
    }
    let log = console.log();
    assert!(!log.contains(TOKEN), "{log}");
}

#[test]
fn the_first_run_is_its_starters_and_a_session_ends() {
    let place = Place::new();
    let index = place.index();
    let console = Console::start(&mut command(&place, &index));
    let link = console.setup.clone().unwrap();
    assert_eq!(mode_of(&place.path("console.db")), 0o600);
    // Without its token nobody sets the password.
    for path in ["/setup", "/setup?token=", "/setup?token=0123"] {
        assert_eq!(console.get(path, &[]).status, 403, "{path}");
    }
    let form = format!("token=0123&password={PASSWORD}&again={PASSWORD}");
    assert_eq!(console.post("/setup", &[], &form).status, 403);
    assert_eq!(console.get(&link, &[]).status, 200);
    let token = link.split_once('=').unwrap().1;
    let short = format!("token={token}&password=short&again=short");
    assert_eq!(console.post("/setup", &[], &short).status, 422);

    let answer = {
        let form = format!("token={token}&password={PASSWORD}&again={PASSWORD}");
        console.post("/setup", &[], &form)
    };
    let set = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    let cookie = answer.cookie();
    let signed_in: &[_] = &[("cookie", cookie.as_str())];
    let page = console.get("/", signed_in);
    assert_eq!(page.status, 200);
    // The link is used up.
    let again = console.get(&link, &[]);
    assert_eq!(
        (again.status, again.header("location")),
        (303, Some("/login"))
    );
    let other = format!("token={token}&password=another password&again=another password");
    assert_eq!(
        console.post("/setup", &[], &other).header("location"),
        Some("/login")
    );
    assert!(
        console
            .post("/setup", &[], &other)
            .header("set-cookie")
            .is_none()
    );

    // Log out: not without the token of the page, nor with another's.
    let csrf = csrf_of(&page.body);
    assert_eq!(console.post("/logout", signed_in, "").status, 403);
    for wrong in ["", "0123", &csrf[1..]] {
        let headers = [("cookie", &*cookie), ("x-csrf-token", wrong)];
        assert_eq!(console.post("/logout", &headers, "").status, 403);
    }
    assert_eq!(console.get("/", signed_in).status, 200);
    let headers = [("cookie", &*cookie), ("x-csrf-token", &*csrf)];
    assert_eq!(console.post("/logout", &headers, "").status, 204);
    assert_eq!(console.get("/", signed_in).status, 401);

    // The next start knows the password, and no session; its store has neither in clear.
    drop(console);
    let console = Console::start(&mut command(&place, &index));
    assert_eq!(console.setup, None);
    assert_eq!(console.get("/", signed_in).status, 401);
    assert_eq!(
        console
            .post("/login", &[], "password=another password")
            .status,
        401
    );
    let login = console.post("/login", &[], &format!("password={PASSWORD}"));
    assert_eq!(login.status, 303);
    assert_eq!(console.get("/", &[("cookie", &login.cookie())]).status, 200);
    let store = std::fs::read(place.path("console.db")).unwrap();
    let store = String::from_utf8_lossy(&store);
    assert!(store.contains("$argon2id$") && !store.contains(PASSWORD));
    assert!(!console.log().contains(PASSWORD));
}

#[test]
fn guessing_is_slowed_down() {
    let place = Place::new();
    let console = Console::with_token(&place, &place.index());
    let guess = || console.post("/login", &[], "password=guess");
    let answers: Vec<Answer> = (0..8).map(|_| guess()).collect();
    assert!(
        answers[..6].iter().all(|answer| answer.status == 401),
        "{answers:?}"
    );
    let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert!(
        refused
            .header("retry-after")
            .unwrap()
            .parse::<u32>()
            .unwrap()
            >= 1
    );
    // Not even with the right one.
    let right = || console.post("/login", &[], &format!("password={TOKEN}"));
    assert_eq!(right().status, 429);
    // It is over at some time, and then it is forgotten.
    let wait = refused.header("retry-after").unwrap().parse().unwrap();
    std::thread::sleep(Duration::from_secs(wait));
    assert_eq!(right().status, 303);
    assert_eq!(guess().status, 401);
    // A program's token is not guessed at.
    assert_eq!(
        console
            .get(
                "/api/v1/tables",
                &[("authorization", &format!("Bearer {TOKEN}"))]
            )
            .status,
        200
    );
}

#[test]
fn pages_of_other_sites_get_nothing_done() {
    let place = Place::new();
    let console = Console::start(&mut command(&place, &place.index()));
    let cookie = console.set_up();
    let csrf = csrf_of(&console.get("/", &[("cookie", &cookie)]).body);
    let here = format!("http://{}", console.address);
    for (method, path) in all().filter(|(method, _)| *method != "GET") {
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:1"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            // Even if the page had found out all that is secret.
            let headers = [
                ("cookie", &*cookie),
                ("x-csrf-token", &*csrf),
                (name, value),
            ];
            let form = format!("password={PASSWORD}&again={PASSWORD}&token=0");
            let answer = console.send(method, path, &headers, form.as_bytes());
            assert_eq!(answer.status, 403, "{path} {name}: {value}");
            assert!(answer.header("set-cookie").is_none());
        }
    }
    let login = |headers: &[(&str, &str)]| {
        console
            .post("/login", headers, &format!("password={PASSWORD}"))
            .status
    };
    assert_eq!(
        login(&[("origin", &here), ("sec-fetch-site", "same-origin")]),
        303
    );
    assert_eq!(login(&[("origin", "https://evil.example")]), 403);
}

#[test]
fn another_name_is_not_answered_to() {
    let place = Place::new();
    let file = place.path("token");
    std::fs::write(&file, TOKEN).unwrap();
    let console = Console::start(
        command(&place, &place.index())
            .args(["--allow-host", "trail.example", "--token-file"])
            .arg(&file),
    );
    let bearer = format!("Bearer {TOKEN}");
    for (method, path) in all() {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:8090",
            "",
            "localhost@evil.example",
        ] {
            let headers = [("host", host), ("authorization", &*bearer)];
            let answer = console.send(method, path, &headers, b"");
            assert!(
                matches!(answer.status, 400 | 421),
                "{path} {host}: {answer:?}"
            );
            assert!(answer.body.len() < 200, "{answer:?}");
        }
        let line = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        for head in [
            // None, two, and one in the line that is another.
            line.clone(),
            format!("{line}host: localhost\r\nhost: evil.example\r\n"),
            format!(
                "{method} http://evil.example{path} HTTP/1.1\r\nconnection: close\r\nhost: localhost\r\n"
            ),
        ] {
            assert_eq!(
                console.raw(format!("{head}\r\n").as_bytes()).status,
                400,
                "{head}"
            );
        }
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]:8090", "trail.example"] {
        assert_eq!(
            console.get("/healthz", &[("host", host)]).status,
            200,
            "{host}"
        );
    }
}

#[test]
fn large_and_broken_requests_are_refused() {
    let place = Place::new();
    let console = Console::with_token(&place, &place.index());
    let bearer = format!("Bearer {TOKEN}");
    let huge = "x".repeat(1 << 20);
    for (method, path) in all() {
        let headers: &[_] = &[
            ("authorization", &*bearer),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let body = format!("password={huge}");
        let answer = console.send(method, path, headers, body.as_bytes());
        assert_eq!(answer.status, 413, "{method} {path}");
        // One that does not say how long it is.
        let chunk = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: nothing\r\n\
             content-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked\r\n\r\n\
             {:x}\r\n{huge}\r\n0\r\n\r\n",
            huge.len()
        );
        let answer = console.raw(chunk.as_bytes());
        // A form is read, up to its limit; all else is not read at all.
        let wanted: &[u16] = match (method, path) {
            ("POST", "/login" | "/setup") => &[413],
            ("GET", "/nowhere") => &[404],
            _ if !OPEN.contains(&(method, path)) => &[401],
            ("GET", "/setup") => &[303],
            _ => &[200],
        };
        assert!(
            wanted.contains(&answer.status),
            "{method} {path}: {answer:?}"
        );
        let line = format!("{path}?q={}", "x".repeat(100_000));
        let answer = console.send(method, &line, headers, b"");
        assert!(
            matches!(answer.status, 414 | 431),
            "{method} {path}: {}",
            answer.status
        );
        let answer = console.send(method, path, &[("x-large", &huge[..60_000])], b"");
        assert!(
            matches!(answer.status, 431),
            "{method} {path}: {}",
            answer.status
        );
    }
    // Another method is none.
    for (_, path) in all().filter(|(_, path)| *path != "/nowhere") {
        for method in ["PUT", "DELETE", "PATCH", "TRACE"] {
            if all().any(|route| route == (method, path)) {
                continue;
            }
            let answer = console.send(method, path, &[("authorization", &bearer)], b"");
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
    // It is well.
    assert_eq!(console.get("/healthz", &[]).body, "ok\n");
}

#[test]
fn no_path_leads_out() {
    let place = Place::new();
    let console = Console::with_token(&place, &place.index());
    let bearer = format!("Bearer {TOKEN}");
    for path in [
        "/assets/../Cargo.toml",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/....//etc/passwd",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/console.css%00.html",
        "/assets/frame.html",
        "/assets/",
        "/../../etc/passwd",
        "//etc/passwd",
        "/%2e%2e/token",
        "/console.db",
        "/api/v1/../../healthz",
        "/api/v1/servers/..",
        "/api/v1/servers/%2e%2e",
        "/api/v1/servers/..%2f..%2fetc%2fpasswd",
        "/api/v1/servers/shop/../../healthz",
        "/api/v1/servers/%00",
        "/api/v1/servers/%ff",
        "/api/v1/tokens/../audit",
    ] {
        for headers in [&[][..], &[("authorization", &*bearer)]] {
            let answer = console.get(path, headers);
            let closed = headers.is_empty() && path.starts_with("/api/v1/servers/");
            let wanted: &[u16] = if closed {
                &[400, 401, 404]
            } else {
                &[400, 404]
            };
            assert!(wanted.contains(&answer.status), "{path}: {answer:?}");
            assert!(!answer.body.contains("root:"), "{path}");
        }
    }
}

#[test]
fn every_answer_carries_what_protects_it() {
    let place = Place::new();
    let console = Console::with_token(&place, &place.index());
    let bearer = format!("Bearer {TOKEN}");
    for (method, path) in all().filter(|(_, path)| *path != "/api/v1/live") {
        for headers in [
            &[][..],
            &[("authorization", &*bearer)],
            &[("host", "evil.example")],
        ] {
            let answer = console.send(method, path, headers, b"");
            let policy = answer.header("content-security-policy").unwrap();
            assert!(
                policy.starts_with("default-src 'none'; script-src 'self';"),
                "{policy}"
            );
            assert!(!policy.contains("unsafe"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("referrer-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
                ("cross-origin-opener-policy", "same-origin"),
            ] {
                assert_eq!(answer.header(name), Some(value), "{method} {path}");
            }
            let kept = answer.header("cache-control").unwrap();
            let asset = path.starts_with("/assets/") && answer.status == 200;
            assert_eq!(kept, if asset { "no-cache" } else { "no-store" }, "{path}");
            assert!(answer.header("access-control-allow-origin").is_none());
            assert!(answer.body.len() < 200_000, "{path}: {}", answer.body.len());
        }
    }
}

#[test]
fn others_reach_it_only_encrypted_and_locked() {
    let place = Place::new();
    let index = place.index();
    let refused = |more: &[&str]| {
        let output = command_at("0.0.0.0:0", &place, &index)
            .args(more)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&[]).contains("--tls-cert"));
    let token = place.path("token");
    std::fs::write(&token, TOKEN).unwrap();
    assert!(refused(&["--token-file", token.to_str().unwrap()]).contains("--tls-cert"));
    std::fs::write(&token, "short").unwrap();
    assert!(refused(&["--token-file", token.to_str().unwrap()]).contains("32 characters"));
}
