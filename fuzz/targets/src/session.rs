use bintrail_proto::packet;
use bintrail_proto::session::{Action, Config, Session, TlsPolicy};
use bytes::BytesMut;
use zeroize::Zeroizing;

/// Long enough to stand in no bytes by chance.
const PASSWORD: &str = "correct horse battery staple";

/// A session with a server that sends anything: it ends, and the password leaves it in clear over TLS only.
///
/// Input: how the session is set, and the server's payloads, each behind one byte of its length.
pub fn session(data: &[u8]) {
    let [flags, script @ ..] = data else { return };
    let mut script = script;
    let tls = match flags & 3 {
        0 => TlsPolicy::Disabled,
        1 => TlsPolicy::Required,
        _ => TlsPolicy::Preferred,
    };
    let password = if flags & 4 == 0 { PASSWORD } else { "" };
    let mut session = Session::new(Config {
        user: "replica".to_owned(),
        password: Zeroizing::new(password.to_owned()),
        database: (flags & 8 != 0).then(|| "db".to_owned()),
        tls,
        attributes: vec![("_pid".to_owned(), "1".to_owned())],
    });
    let mut input = BytesMut::new();
    let (mut sequence, mut secure) = (0_u8, false);
    // A greeting, at most 16 rounds, and for each of them at most two actions.
    for _ in 0..64 {
        let action = match session.step(&mut input) {
            Ok(action) => action,
            Err(error) => {
                let told = format!("{error} {error:?}");
                assert!(!told.contains(PASSWORD));
                return;
            }
        };
        let told = format!("{action:?} {session:?}");
        assert!(!told.contains(PASSWORD));
        let sent = match action {
            Action::Read => {
                let [len, rest @ ..] = script else { return };
                let (payload, behind) = rest.split_at(usize::from(*len).min(rest.len()));
                script = behind;
                let mut wire = Vec::new();
                sequence = packet::write(payload, sequence, &mut wire);
                input.extend_from_slice(&wire);
                continue;
            }
            Action::Send(bytes) => bytes,
            Action::StartTls => {
                assert!(tls != TlsPolicy::Disabled && !secure);
                assert!(input.is_empty());
                session.tls_started();
                secure = true;
                continue;
            }
            Action::Encrypt { plaintext, .. } => {
                // It is not the password itself that is encrypted, but what the nonce makes of it.
                assert_eq!(plaintext.len(), password.len() + 1);
                assert!(!secure);
                match session.encrypted(&[0x5A; 256]) {
                    Action::Send(bytes) => bytes,
                    other => panic!("{other:?}"),
                }
            }
            Action::Ready(ready) => {
                assert_eq!(ready.tls, secure);
                assert!(secure || tls != TlsPolicy::Required);
                assert!(session.step(&mut input).is_err());
                return;
            }
        };
        assert!(sent.len() <= 1024);
        assert_eq!(sent[3], sequence, "its turn");
        sequence = sequence.wrapping_add(1);
        let has_password = sent
            .windows(PASSWORD.len())
            .any(|w| w == PASSWORD.as_bytes());
        assert!(!has_password || secure, "the password in clear");
    }
    panic!("the session does not end");
}
