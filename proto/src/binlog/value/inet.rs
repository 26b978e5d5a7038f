//! INET6 and INET4 of MariaDB: `string<16>` and `string<4>`, the address in network byte order.
//!
//! Source: `Inet6` and `Inet4` in MariaDB's `plugin/type_inet/sql_type_inet.h`.

use std::io::Write;
use std::net::Ipv4Addr;

/// A value of an INET6 column: the address's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inet6(pub [u8; 16]);

/// A value of an INET4 column: the address's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inet4(pub [u8; 4]);

impl Inet4 {
    /// Appends it as the server prints it: `192.0.2.1`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        append(out, format_args!("{}", Ipv4Addr::from(self.0)));
    }
}

impl Inet6 {
    /// Appends it as the server prints it: the longest run of zero groups as `::`, the first of
    /// several, and a run of one group too; addresses of the forms `::a.b.c.d` and
    /// `::ffff:a.b.c.d` in that form.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let groups: [u16; 8] = std::net::Ipv6Addr::from(self.0).segments();
        let tail = match groups {
            [0, 0, 0, 0, 0, 0xFFFF, a, b] => Some((&b"::ffff:"[..], a, b)),
            [0, 0, 0, 0, 0, 0, a, b] if a != 0 => Some((&b"::"[..], a, b)),
            _ => None,
        };
        if let Some((front, a, b)) = tail {
            out.extend_from_slice(front);
            let number = u32::from(a) << 16 | u32::from(b);
            return append(out, format_args!("{}", Ipv4Addr::from(number)));
        }
        let (mut gap, mut gap_len) = (groups.len(), 0);
        let mut run = 0;
        for (number, &group) in (1..).zip(&groups) {
            run = if group == 0 { run + 1 } else { 0 };
            if run > gap_len {
                (gap, gap_len) = (number - run, run);
            }
        }
        for (number, group) in groups.iter().enumerate() {
            if number == gap {
                out.extend_from_slice(b"::");
            } else if number < gap || number >= gap + gap_len {
                if number > 0 && number != gap + gap_len {
                    out.push(b':');
                }
                append(out, format_args!("{group:x}"));
            }
        }
    }
}

/// Writing to memory does not fail.
fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    /// `SELECT HEX(i), i` of an INET6 column of MariaDB 11.8.6.
    #[test]
    fn as_the_server_prints_them() {
        for (bytes, text) in [
            ("00000000000000000000000000000000", "::"),
            ("00000000000000000000000000000001", "::1"),
            ("00000000000000000000000000020003", "::0.2.0.3"),
            ("00000000000000000000000001020304", "::1.2.3.4"),
            ("00000000000000000000000000000100", "::100"),
            ("00000000000000000000000000010000", "::0.1.0.0"),
            ("00000000000000000000FFFF01020304", "::ffff:1.2.3.4"),
            ("00000000000000000000FFFF00000000", "::ffff:0.0.0.0"),
            ("00000000000000000000FFFE01020304", "::fffe:102:304"),
            ("00000000000000000000000100020003", "::1:2:3"),
            ("00010000000000020000000000000003", "1:0:0:2::3"),
            ("00010000000200030004000500060007", "1::2:3:4:5:6:7"),
            ("00000001000200030004000500060007", "::1:2:3:4:5:6:7"),
            ("00010000000000020003000000000004", "1::2:3:0:0:4"),
            ("00010002000300040005000600070000", "1:2:3:4:5:6:7::"),
            ("00010002000300040005000600000000", "1:2:3:4:5:6::"),
            ("FE800000000000000000000000000001", "fe80::1"),
            ("00010000000000000000000000000000", "1::"),
            ("20010DB800000000000000000A0B00C1", "2001:db8::a0b:c1"),
            ("0064FF9B000000000000000001020304", "64:ff9b::102:304"),
        ] {
            let mut out = Vec::new();
            Inet6(hex(bytes).try_into().unwrap()).write_to(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let mut out = Vec::new();
        Inet4([192, 0, 2, 1]).write_to(&mut out);
        assert_eq!(out, b"192.0.2.1");
    }
}
