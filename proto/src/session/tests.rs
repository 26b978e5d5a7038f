//! Sessions against what real servers said.

use proptest::prelude::*;

use super::*;

/// Greetings and answers of MySQL 9.7.4, as payloads.
const GREETING: &[u8] =
    b"\n9.7.4-2\x00\xed\x00\x00\x00~&{\x03_}\x03e\x00\xff\xff\xff\x02\x00\xff\xdf\
    \x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x06\x1bNO>P5\x08|k%G\x00caching_sha2_password\x00";
const SCRAMBLE: &[u8] =
    b"\x8c]Q\xbb$\xf9\x8a\xdb\"H:P\xd9\xd5\xc3\xe7U\x8e\xc4\x0b\xe9r\x1b&\x17\xbc\
    \x83Z\x8f\x80\x98\xf0";
const SWITCH: &[u8] = b"\xfesha256_password\x00v^w\x18w7\x0c\t|\x1aF\x12\x1es0h<f, \x00";
const OK: &[u8] = b"\x00\x00\x00\x02\x00\x00\x00";
const FAST: &[u8] = b"\x01\x03";
const FULL: &[u8] = b"\x01\x04";
const KEY: &[u8] = b"\x01-----BEGIN PUBLIC KEY-----\n";
const DENIED: &[u8] =
    b"\xff\x15\x04#28000Access denied for user 'cap'@'localhost' (using password: YES)";

fn session(tls: TlsPolicy, password: &str) -> Session {
    Session::new(Config {
        user: "cap".to_owned(),
        password: Zeroizing::new(password.to_owned()),
        database: None,
        tls,
        attributes: Vec::new(),
    })
}

fn packet(payload: &[u8], sequence: u8) -> BytesMut {
    let mut wire = Vec::new();
    packet::write(payload, sequence, &mut wire);
    BytesMut::from(&wire[..])
}

/// The payload of an [`Action::Send`], and its sequence id.
fn sent(action: Result<Action, Error>) -> (Vec<u8>, u8) {
    match action {
        Ok(Action::Send(wire)) => (wire[4..].to_vec(), wire[3]),
        other => panic!("{other:?}"),
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn read(session: &mut Session) {
    assert_eq!(session.step(&mut BytesMut::new()), Ok(Action::Read));
}

fn ready(action: Result<Action, Error>) -> Ready {
    match action {
        Ok(Action::Ready(ready)) => ready,
        other => panic!("{other:?}"),
    }
}

/// The greeting without `SSL`.
fn without_tls() -> Vec<u8> {
    let mut greeting = GREETING.to_vec();
    let at = b"\n9.7.4-2\x00\xed\x00\x00\x00~&{\x03_}\x03e\x00".len();
    greeting[at + 1] &= !0x08;
    greeting
}

#[test]
fn warm_cache() {
    let mut session = session(TlsPolicy::Disabled, "secret");
    read(&mut session);
    let (response, sequence) = sent(session.step(&mut packet(GREETING, 0)));
    assert_eq!(sequence, 1);
    assert!(holds(&response, SCRAMBLE));
    // The verdict comes in one piece with what precedes it.
    let mut input = packet(FAST, 2);
    input.extend_from_slice(&packet(OK, 3));
    let ready = ready(session.step(&mut input));
    assert_eq!(ready.server_version, "9.7.4-2");
    assert_eq!(ready.connection_id, 0xED);
    assert!(!ready.tls);
    assert!(ready.capabilities.contains(Capabilities::DEPRECATE_EOF));
    assert!(!ready.capabilities.contains(Capabilities::SSL));
}

#[test]
fn cold_cache_over_tls() {
    let mut session = session(TlsPolicy::Preferred, "secret");
    let (request, _) = sent(session.step(&mut packet(GREETING, 0)));
    assert_eq!(request.len(), 32);
    let nothing = &mut BytesMut::new();
    assert_eq!(session.step(nothing), Ok(Action::StartTls));
    session.tls_started();
    let (response, sequence) = sent(session.step(nothing));
    assert_eq!(sequence, 2);
    assert_eq!(response[..32], request[..]);
    assert!(holds(&response, b"cap\0") && !holds(&response, b"secret"));
    let (password, sequence) = sent(session.step(&mut packet(FULL, 3)));
    assert_eq!((&password[..], sequence), (&b"secret\0"[..], 4));
    assert!(ready(session.step(&mut packet(OK, 5))).tls);
}

#[test]
fn cold_cache_without_tls() {
    let mut session = session(TlsPolicy::Preferred, "secret");
    let (response, _) = sent(session.step(&mut packet(&without_tls(), 0)));
    assert!(holds(&response, SCRAMBLE));
    let (request, _) = sent(session.step(&mut packet(FULL, 2)));
    assert_eq!(request, [2]);
    let action = session.step(&mut packet(KEY, 4)).unwrap();
    assert!(!format!("{action:?}").contains("115, 101, 99"));
    let Action::Encrypt { plaintext, pem } = action else {
        panic!("{action:?}");
    };
    assert_eq!(pem, KEY[1..]);
    assert!(!holds(&plaintext, b"secret"));
    let (ciphertext, sequence) = sent(Ok(session.encrypted(b"sealed")));
    assert_eq!((&ciphertext[..], sequence), (&b"sealed"[..], 5));
    assert!(!ready(session.step(&mut packet(OK, 6))).tls);
}

#[test]
fn switch_of_plugins() {
    let mut session = session(TlsPolicy::Disabled, "secret");
    sent(session.step(&mut packet(GREETING, 0)));
    let (request, sequence) = sent(session.step(&mut packet(SWITCH, 2)));
    assert_eq!((&request[..], sequence), (&[1][..], 3));
    let action = session.step(&mut packet(KEY, 4));
    let Ok(Action::Encrypt { plaintext, .. }) = action else {
        panic!("{action:?}");
    };
    // "secret" XOR the nonce of the switch.
    assert_eq!(*plaintext, *b"\x05;\x14j\x12C\x0c");
}

/// Only TLS may carry the password itself.
#[test]
fn a_password_in_clear_needs_tls() {
    let switch = b"\xfemysql_clear_password\x00";
    let mut plain = session(TlsPolicy::Preferred, "secret");
    sent(plain.step(&mut packet(&without_tls(), 0)));
    assert_eq!(
        plain.step(&mut packet(switch, 2)),
        Err(Error::NeedsTls("mysql_clear_password"))
    );

    let mut tls = session(TlsPolicy::Required, "secret");
    sent(tls.step(&mut packet(GREETING, 0)));
    assert_eq!(tls.step(&mut BytesMut::new()), Ok(Action::StartTls));
    tls.tls_started();
    sent(tls.step(&mut BytesMut::new()));
    let (password, sequence) = sent(tls.step(&mut packet(switch, 3)));
    assert_eq!((&password[..], sequence), (&b"secret\0"[..], 4));

    // As the server's default it may not be the account's, so it is passed over without TLS.
    let mut greeting = without_tls();
    greeting.truncate(greeting.len() - b"caching_sha2_password\0".len());
    greeting.extend_from_slice(b"mysql_clear_password\0");
    let mut default = session(TlsPolicy::Disabled, "secret");
    let (response, _) = sent(default.step(&mut packet(&greeting, 0)));
    assert!(holds(&response, b"caching_sha2_password\0") && !holds(&response, b"secret"));
}

#[test]
fn a_further_factor_is_named() {
    let mut session = session(TlsPolicy::Disabled, "secret");
    sent(session.step(&mut packet(GREETING, 0)));
    let next = b"\x02authentication_webauthn_client\0challenge";
    assert_eq!(session.step(&mut packet(next, 2)), Err(Error::MultiFactor));
}

/// MariaDB's nonce for `client_ed25519` has no NUL behind it; one in 256 ends with one.
#[test]
fn only_the_nul_behind_a_nonce_is_taken_off() {
    for (nonce, expected) in [(21, 20), (20, 20), (32, 32), (0, 0)] {
        let payload = [&b"\xfeplugin\0"[..], &vec![0; nonce]].concat();
        let switch = AuthSwitchRequest::parse(&payload).unwrap();
        assert_eq!(switch.nonce.len(), expected);
    }
}

#[test]
fn empty_passwords() {
    let mut session = session(TlsPolicy::Disabled, "");
    let (response, _) = sent(session.step(&mut packet(GREETING, 0)));
    // As the mysql client has it: one NUL of length 1.
    assert!(holds(&response, b"cap\0\x01\0caching_sha2_password\0"));
    ready(session.step(&mut packet(OK, 2)));
}

#[test]
fn tls_policies() {
    let offered =
        |policy, greeting: &[u8]| session(policy, "secret").step(&mut packet(greeting, 0));
    assert_eq!(sent(offered(TlsPolicy::Preferred, GREETING)).0.len(), 32);
    assert_eq!(sent(offered(TlsPolicy::Required, GREETING)).0.len(), 32);
    assert!(sent(offered(TlsPolicy::Disabled, GREETING)).0.len() > 32);
    let plain = without_tls();
    assert!(sent(offered(TlsPolicy::Preferred, &plain)).0.len() > 32);
    assert_eq!(
        offered(TlsPolicy::Required, &plain),
        Err(Error::TlsNotOffered)
    );
}

#[test]
fn bytes_in_clear_before_tls_are_refused() {
    let mut session = session(TlsPolicy::Required, "secret");
    let mut input = packet(GREETING, 0);
    input.extend_from_slice(&packet(OK, 2));
    sent(session.step(&mut input));
    assert!(matches!(session.step(&mut input), Err(Error::Protocol(_))));
}

#[test]
fn errors_at_any_point() {
    let refused = |action: Result<Action, Error>| match action {
        Err(Error::Server(error)) => error.code,
        other => panic!("{other:?}"),
    };
    let mut at_once = session(TlsPolicy::Required, "secret");
    assert_eq!(
        refused(at_once.step(&mut packet(b"\xff\x10\x04Too many", 0))),
        1040
    );
    for steps in 0..3 {
        let mut session = session(TlsPolicy::Disabled, "secret");
        sent(session.step(&mut packet(GREETING, 0)));
        let mut sequence = 2;
        for payload in [FULL, KEY].iter().take(steps) {
            if let Ok(Action::Encrypt { .. }) = session.step(&mut packet(payload, sequence)) {
                session.encrypted(b"sealed");
            }
            sequence += 2;
        }
        assert_eq!(refused(session.step(&mut packet(DENIED, sequence))), 1045);
    }
}

#[test]
fn unknown_plugins_are_named() {
    let mut session = session(TlsPolicy::Disabled, "secret");
    sent(session.step(&mut packet(GREETING, 0)));
    let error = session.step(&mut packet(b"\xfeauth_gssapi_client\0x\0", 2));
    assert_eq!(
        error,
        Err(Error::UnsupportedPlugin("auth_gssapi_client".to_owned()))
    );
    let mut old = self::session(TlsPolicy::Disabled, "secret");
    sent(old.step(&mut packet(GREETING, 0)));
    let error = old.step(&mut packet(b"\xfe", 2));
    assert_eq!(
        error,
        Err(Error::UnsupportedPlugin("mysql_old_password".to_owned()))
    );
}

/// An account may have another plugin than the server's default.
#[test]
fn an_unknown_default_plugin_is_no_error_yet() {
    let mut greeting = GREETING[..GREETING.len() - 22].to_vec();
    greeting.extend_from_slice(b"auth_gssapi_client\0");
    let mut session = session(TlsPolicy::Disabled, "secret");
    let (response, _) = sent(session.step(&mut packet(&greeting, 0)));
    assert!(holds(&response, b"caching_sha2_password\0"));
}

#[test]
fn a_server_cannot_go_on_for_ever() {
    let mut session = session(TlsPolicy::Disabled, "secret");
    sent(session.step(&mut packet(GREETING, 0)));
    let mut sequence = 2_u8;
    let rounds = (0..1000)
        .take_while(|_| {
            let action = session.step(&mut packet(SWITCH, sequence));
            sequence = sequence.wrapping_add(2);
            action.is_ok()
        })
        .count();
    assert_eq!(rounds, usize::from(MAX_ROUNDS));
}

#[test]
fn secrets_are_in_no_debug_output() {
    let mut session = session(TlsPolicy::Disabled, "secret");
    let action = session.step(&mut packet(GREETING, 0));
    for text in [format!("{session:?}"), format!("{action:?}")] {
        assert!(!text.contains("secret") && !text.contains("115"), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_end_and_nothing_leaks(
        payloads in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                Just(SWITCH.to_vec()),
                Just(FULL.to_vec()),
                Just(FAST.to_vec()),
                Just(KEY.to_vec()),
            ],
            0..8,
        ),
    ) {
        let mut session = session(TlsPolicy::Preferred, "a long secret");
        let mut input = packet(&without_tls(), 0);
        let mut sequence = 2_u8;
        let mut payloads = payloads.into_iter();
        // Each answer of the client's has an id too.
        loop {
            match session.step(&mut input) {
                Ok(Action::Read) => match payloads.next() {
                    Some(payload) => {
                        input.extend_from_slice(&packet(&payload, sequence));
                        sequence = sequence.wrapping_add(1);
                    }
                    None => break,
                },
                Ok(Action::Send(wire)) => {
                    prop_assert!(!holds(&wire, b"long secret"));
                    sequence = wire[3].wrapping_add(1);
                }
                Ok(Action::Encrypt { .. }) => {
                    session.encrypted(b"sealed");
                    sequence = sequence.wrapping_add(1);
                }
                Ok(Action::StartTls | Action::Ready(_)) | Err(_) => break,
            }
        }
    }
}
