//! What tokens, sessions and servers of the control plane must not give away.

use super::closed;
use super::support::{Console, Place, TOKEN, command, csrf_of, looking, mode_of};

const NEW: &str =
    r#"{"server_id":"shop","host":"127.0.0.1","port":1,"user":"u","password":"s3cret-word"}"#;

/// Makes a token with these scopes: its secret and its number.
fn token(console: &Console, scopes: &str) -> (String, i64) {
    let body = format!(r#"{{"name":"t","scopes":[{scopes}]}}"#);
    let (status, made) = console.json("POST", "/api/v1/tokens", TOKEN, &body);
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap().to_owned();
    (secret, made["token"]["token_id"].as_i64().unwrap())
}

#[test]
fn a_token_does_what_its_scopes_say_and_no_more() {
    let place = Place::new();
    let console = Console::with_token(&place, &place.index());
    let scoped: Vec<(&str, String)> = ["read", "write", "delete"]
        .map(|scope| (scope, token(&console, &format!("\"{scope}\"")).0))
        .to_vec();
    for (method, path, status) in closed().filter(|(_, path, _)| *path != "/api/v1/live") {
        let needed = match method {
            "GET" => "read",
            "DELETE" => "delete",
            _ => "write",
        };
        for (scope, secret) in &scoped {
            let bearer = format!("Bearer {secret}");
            let answer = console.send(method, path, &[("authorization", &bearer)], b"");
            // Tokens are made and revoked by the operator alone.
            let wanted = match *scope == needed && !path.starts_with("/api/v1/tokens") {
                true => status,
                false => 403,
            };
            assert_eq!(
                answer.status, wanted,
                "{method} {path} with {scope}: {answer:?}"
            );
        }
    }
    // It is no password.
    let (_, secret) = &scoped[0];
    let login = console.post("/login", &[], &format!("password={secret}"));
    assert_eq!(login.status, 401);
    // Neither the store nor the log has one.
    let store = std::fs::read(place.path("console.db")).unwrap();
    let store = String::from_utf8_lossy(&store);
    for (_, secret) in &scoped {
        assert!(!store.contains(&secret[3..]) && !console.log().contains(&**secret));
    }
    let (_, listed) = console.json("GET", "/api/v1/tokens", TOKEN, "");
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 3);
    assert!(!listed.to_string().contains(&scoped[0].1[3..]));
}

#[test]
fn a_token_that_is_revoked_or_expired_is_none() {
    let place = Place::new();
    let console = Console::with_token(&place, &place.index());
    let (revoked, revoked_id) = token(&console, "\"read\"");
    let (expired, expired_id) = token(&console, "\"read\"");
    let (holds, _) = token(&console, "\"read\"");
    let path = format!("/api/v1/tokens/{revoked_id}");
    assert_eq!(console.json("DELETE", &path, TOKEN, "").0, 204);
    assert_eq!(console.json("DELETE", &path, TOKEN, "").0, 404);
    let store = rusqlite::Connection::open(place.path("console.db")).unwrap();
    store
        .execute(
            "UPDATE tokens SET expires_at = 1 WHERE token_id = ?1",
            [expired_id],
        )
        .unwrap();
    for (method, path, _) in closed().filter(|(_, path, _)| *path != "/api/v1/live") {
        for secret in [&revoked, &expired] {
            assert_eq!(
                console.json(method, path, secret, "").0,
                401,
                "{method} {path}"
            );
        }
    }
    assert_eq!(console.json("GET", "/api/v1/audit", &holds, "").0, 200);
}

/// A session changes something only with what its page shows, on every route.
#[test]
fn a_session_needs_its_pages_token() {
    let place = Place::new();
    let console = Console::start(&mut command(&place, &place.index()));
    let cookie = console.set_up();
    for (method, path, _) in
        closed().filter(|(method, path, _)| *method != "GET" && *path != "/logout")
    {
        for shown in [None, Some(""), Some("0123")] {
            let headers = [
                ("cookie", &*cookie),
                ("x-csrf-token", shown.unwrap_or_default()),
            ];
            let count = 1 + usize::from(shown.is_some());
            let answer = console.send(method, path, &headers[..count], b"");
            assert_eq!(answer.status, 403, "{method} {path}: {answer:?}");
        }
    }
    let csrf = csrf_of(&console.get("/servers", &[("cookie", &cookie)]).body);
    let headers = [
        ("cookie", &*cookie),
        ("x-csrf-token", &*csrf),
        ("content-type", "application/json"),
    ];
    let answer = console.send("POST", "/api/v1/servers", &headers, NEW.as_bytes());
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[test]
fn a_password_is_never_shown_nor_sent_elsewhere() {
    let place = Place::new();
    let console = Console::with_token(&place, &place.index());
    let ask = |method: &str, path: &str, body: &str| console.json(method, path, TOKEN, body);
    let shop = "/api/v1/servers/shop";
    assert_eq!(ask("POST", "/api/v1/servers", NEW).0, 201);
    for (method, path, _) in
        closed().filter(|(method, path, _)| *method == "GET" && *path != "/api/v1/live")
    {
        let answer = ask(method, path, "");
        assert!(!answer.1.to_string().contains("s3cret-word"), "{path}");
    }
    // To another place it goes only when it is given again.
    for change in [r#"{"host":"192.0.2.1"}"#, r#"{"port":2}"#] {
        let (status, answer) = ask("PATCH", shop, change);
        assert_eq!(status, 400, "{answer}");
        assert!(
            answer["error"].as_str().unwrap().contains("password"),
            "{answer}"
        );
    }
    assert_eq!(
        ask("PATCH", shop, r#"{"port":2,"password":"s3cret-word"}"#).0,
        200
    );
    for file in ["console.db", "bintrail-streams/shop/stream.log"] {
        let bytes = std::fs::read(place.path(file)).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&bytes).contains("s3cret-word"),
            "{file}"
        );
    }
    assert!(!console.log().contains("s3cret-word"));
    assert_eq!(mode_of(&place.path("console.db.key")), 0o600);
    assert_eq!(mode_of(&place.path("bintrail-streams")), 0o700);
    // References lead to what is there for them, and nowhere else.
    for (field, value, status) in [
        ("password_file", "../console.db", 400),
        ("password_file", "/etc/passwd", 400),
        ("password_file", "shop", 200),
        ("password_env", "PATH", 400),
        ("password_env", "BINTRAIL_INDEX_DSN", 400),
        ("password_env", "BINTRAIL_PASSWORD_SHOP", 200),
    ] {
        let (answered, answer) = ask("PATCH", shop, &format!(r#"{{"{field}":"{value}"}}"#));
        assert_eq!(answered, status, "{field} {value}: {answer}");
    }
    let (_, shown) = ask("GET", shop, "");
    assert_eq!(shown["password_kind"], "env");
    // Nor can it be had by what a stream is started with.
    for parameters in [
        r#"{"tables":["a\nBINTRAIL_RESET=1"]}"#,
        r#"{"ssl_ca":"/x\u0000"}"#,
        r#"{"reset":true}"#,
        r#"{"schemas":["a,b"]}"#,
    ] {
        let (status, answer) = ask("PATCH", shop, &format!(r#"{{"parameters":{parameters}}}"#));
        assert!(matches!(status, 400 | 422), "{parameters}: {answer}");
    }
}

#[test]
fn large_json_is_refused() {
    let place = Place::new();
    let console = Console::with_token(&place, &place.index());
    let huge = format!(r#"{{"name":"{}"}}"#, "x".repeat(1 << 20));
    for (method, path, _) in closed().filter(|(method, _, _)| *method != "GET") {
        assert_eq!(
            console.json(method, path, TOKEN, &huge).0,
            413,
            "{method} {path}"
        );
        let chunked = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{huge}\r\n0\r\n\r\n",
            huge.len()
        );
        let answer = console.raw(chunked.as_bytes());
        // Who reads no body does not read this one.
        assert!(
            matches!(answer.status, 413 | 404 | 204),
            "{method} {path}: {answer:?}"
        );
    }
}

#[test]
fn a_console_without_control_has_no_servers() {
    let place = Place::new();
    let file = place.path("token");
    std::fs::write(&file, TOKEN).unwrap();
    let index = place.index();
    let console = Console::start(looking(&place, &index).arg("--token-file").arg(&file));
    for (method, path, _) in closed().filter(|(_, path, _)| path.contains("servers")) {
        let body = if method == "GET" { "" } else { "{}" };
        assert_eq!(
            console.json(method, path, TOKEN, body).0,
            404,
            "{method} {path}"
        );
    }
    assert!(!place.path("console.db.key").exists() && !place.path("bintrail-streams").exists());
}

/// Parameters that are none are refused by what they are, never with a fault of the console.
#[test]
fn wrong_parameters_are_named() {
    let place = Place::new();
    let console = Console::with_token(&place, &place.index());
    let bearer = format!("Bearer {TOKEN}");
    for (path, status, said) in [
        ("/api/v1/events?limit=0", 400, "limit"),
        ("/api/v1/events?limit=1001", 400, "limit"),
        ("/api/v1/events?limit=-1", 400, "limit"),
        ("/api/v1/events?after=x", 400, "after"),
        ("/api/v1/events?after=18446744073709551615", 200, "events"),
        (
            "/api/v1/events?order=asc&after=18446744073709551615",
            200,
            "events",
        ),
        ("/api/v1/events?since=yesterday", 400, "since"),
        ("/api/v1/events?event_type=truncate", 400, "event_type"),
        ("/api/v1/events?where=x", 400, "where"),
        ("/api/v1/events?order=up", 400, "order"),
        ("/api/v1/events?nonsense=1", 400, "parameter"),
        (
            "/api/v1/events?schema=%27%3B%20DROP%20TABLE%20row_changes",
            200,
            "events",
        ),
        ("/api/v1/events?schema=%ff%00", 200, "events"),
        ("/api/v1/events?source_id=4294967296", 400, "source_id"),
        ("/api/v1/events/export?format=xml", 400, "format"),
        ("/api/v1/events/export?limit=0", 400, "limit"),
        (
            "/api/v1/schema-changes?before=18446744073709551615",
            200,
            "schema_changes",
        ),
        ("/api/v1/schema-changes?limit=0", 400, "limit"),
        ("/view/changes?limit=51", 400, "limit"),
    ] {
        let answer = console.get(path, &[("authorization", &bearer)]);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.body.contains(said), "{path}: {answer:?}");
    }
}
