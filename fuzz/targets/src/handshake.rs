use bintrail_proto::auth::AuthSwitchRequest;
use bintrail_proto::capabilities::Capabilities;
use bintrail_proto::handshake::HandshakeV10;
use bintrail_proto::response::{EofPacket, ErrPacket, OkPacket, ServerError};
use bintrail_proto::resultset::{Answer, Collector, ColumnDefinition41};
use bytes::Bytes;

/// Every payload that a server sends outside of a dump, over any bytes.
///
/// Input: which one, the capabilities' low byte and high bits, and the payload; for a result set,
/// payloads, each behind one byte of its length.
pub fn handshake(data: &[u8]) {
    let [kind, flags, payload @ ..] = data else {
        return;
    };
    let capabilities = Capabilities::from_bits(u32::from(*flags) << 17 | 0x0000_2200);
    let len = payload.len();
    let checked = |error: bintrail_proto::Error| super::check_error(&error, len);
    match kind % 7 {
        0 => greeting(payload),
        1 => match OkPacket::parse(payload, capabilities) {
            Ok(ok) => assert!(ok.info.len() + ok.session_state.len() <= len),
            Err(error) => checked(error),
        },
        2 => match ErrPacket::parse(payload) {
            Ok(error) => {
                assert!(payload.ends_with(error.message));
                let owned = ServerError::parse(payload).unwrap();
                assert_eq!(owned.code, error.code);
                assert!(owned.message.len() <= 3 * len);
            }
            Err(error) => checked(error),
        },
        3 => {
            if let Err(error) = EofPacket::parse(payload) {
                checked(error);
            }
            let _ = EofPacket::ends_rows(payload, capabilities);
        }
        4 => match AuthSwitchRequest::parse(payload) {
            Ok(request) if payload.len() > 1 => {
                let mut again = [&[0xFE], request.plugin, &[0], request.nonce].concat();
                // A nonce's last NUL is left out, one only.
                if payload.len() > again.len() {
                    again.push(0);
                }
                assert_eq!(again, payload);
            }
            Ok(request) => assert_eq!(request.plugin, b"mysql_old_password"),
            Err(error) => checked(error),
        },
        5 => match ColumnDefinition41::parse(payload) {
            Ok(column) => assert!(column.name.len() < len),
            Err(error) => checked(error),
        },
        _ => result_set(capabilities, payload),
    }
}

fn greeting(payload: &[u8]) {
    let greeting = match HandshakeV10::parse(payload) {
        Ok(greeting) => greeting,
        Err(error) => return super::check_error(&error, payload.len()),
    };
    let capabilities = greeting.capabilities.bits();
    let mut again = vec![10];
    again.extend_from_slice(greeting.server_version);
    again.push(0);
    again.extend_from_slice(&greeting.connection_id.to_le_bytes());
    again.extend_from_slice(&greeting.nonce_head);
    again.push(0);
    again.extend_from_slice(&(capabilities as u16).to_le_bytes());
    again.extend_from_slice(&[0; 3]);
    again.extend_from_slice(&((capabilities >> 16) as u16).to_le_bytes());
    let secure = greeting
        .capabilities
        .contains(Capabilities::SECURE_CONNECTION);
    let mut tail = greeting.nonce_tail.to_vec();
    if tail.len() < 13 || tail.ends_with(&[0]) {
        tail.push(0);
    }
    again.push(if secure { tail.len() as u8 + 8 } else { 0 });
    again.extend_from_slice(&[0; 10]);
    if secure {
        again.extend_from_slice(&tail);
    }
    if greeting.capabilities.contains(Capabilities::PLUGIN_AUTH) {
        again.extend_from_slice(greeting.auth_plugin);
        again.push(0);
    }
    assert_eq!(HandshakeV10::parse(&again), Ok(greeting));
    assert!(greeting.nonce().len() <= 8 + 255);
}

fn result_set(capabilities: Capabilities, mut data: &[u8]) {
    const BUDGET: usize = 4096;
    let mut collector = Collector::new(capabilities, BUDGET);
    let mut taken = 0;
    while let [len, rest @ ..] = data {
        let (payload, behind) = rest.split_at(usize::from(*len).min(rest.len()));
        data = behind;
        taken += payload.len() + 64;
        match collector.push(&Bytes::copy_from_slice(payload)) {
            Ok(None) => assert!(taken <= BUDGET),
            Ok(Some(Answer::Rows(result))) => {
                assert!(
                    result
                        .rows
                        .iter()
                        .all(|row| row.len() == result.columns.len())
                );
                let values = result.rows.iter().flatten().flatten();
                assert!(values.map(Bytes::len).sum::<usize>() <= taken);
                return;
            }
            Ok(Some(_)) => return,
            Err(error) => return super::check_error(&error, payload.len()),
        }
    }
}
