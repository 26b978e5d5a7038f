//! The East Asian character sets: `encoding_rs`'s encoding of each, but for the ranges where the
//! server's own conversion differs from the WHATWG's.

use encoding_rs::{BIG5, DecoderResult, EUC_JP, EUC_KR, Encoding, GB18030, GBK, SHIFT_JIS};

use super::exceptions::{self, As, Exception};
use super::{Charset, Undecodable};

/// How many bytes the character at the front of a non-empty text takes, if one can begin so.
type Length = fn(&[u8]) -> Option<usize>;

struct Reading {
    encoding: &'static Encoding,
    length: Length,
    exceptions: &'static [Exception],
}

/// Appends the text of `bytes` in `charset`, one of the character sets of this module, to `out`.
pub(super) fn decode(charset: Charset, bytes: &[u8], out: &mut String) -> Result<(), Undecodable> {
    let (encoding, length, exceptions): (_, Length, _) = match charset {
        Charset::Big5 => (BIG5, double_byte, exceptions::BIG5),
        Charset::Cp932 => (SHIFT_JIS, shift_jis, &[]),
        Charset::Eucjpms => (EUC_JP, euc_jp, exceptions::EUCJPMS),
        Charset::Euckr => (EUC_KR, double_byte, &[]),
        Charset::Gb18030 => (GB18030, gb18030, exceptions::GB18030),
        Charset::Gb2312 => (GBK, gb2312, exceptions::GB2312),
        Charset::Gbk => (GBK, double_byte, exceptions::GBK),
        Charset::Sjis => (SHIFT_JIS, shift_jis, exceptions::SJIS),
        Charset::Ujis => (EUC_JP, euc_jp, exceptions::UJIS),
        _ => return Err(Undecodable),
    };
    let reading = Reading {
        encoding,
        length,
        exceptions,
    };
    reading.decode(bytes, out)
}

impl Reading {
    fn decode(&self, bytes: &[u8], out: &mut String) -> Result<(), Undecodable> {
        // encoding_rs decodes in one go what lies between two exceptions: from `run` to `rest`.
        let (mut run, mut rest) = (bytes, bytes);
        while !rest.is_empty() {
            let length = (self.length)(rest).ok_or(Undecodable)?;
            let (character, after) = rest.split_at_checked(length).ok_or(Undecodable)?;
            if let Some(exception) = self.exception(character) {
                self.decode_run(run, run.len() - rest.len(), out)?;
                out.push(exception?);
                run = after;
            }
            rest = after;
        }
        self.decode_run(run, run.len(), out)
    }

    fn exception(&self, character: &[u8]) -> Option<Result<char, Undecodable>> {
        let code = character
            .iter()
            .fold(0, |code, &byte| code << 8 | u32::from(byte));
        let above = self
            .exceptions
            .partition_point(|&(first, ..)| first <= code);
        let (first, last, reading) = self.exceptions.get(above.checked_sub(1)?)?;
        let index = code - first;
        if code > *last {
            return None;
        }
        let read = match reading {
            As::Nothing => None,
            As::From(first) => char::from_u32(u32::from(*first) + index),
            As::Text(text) => text.chars().nth(usize::try_from(index).ok()?),
        };
        Some(read.ok_or(Undecodable))
    }

    fn decode_run(&self, run: &[u8], length: usize, out: &mut String) -> Result<(), Undecodable> {
        let run = run.get(..length).ok_or(Undecodable)?;
        let mut decoder = self.encoding.new_decoder_without_bom_handling();
        let most = decoder
            .max_utf8_buffer_length_without_replacement(length)
            .ok_or(Undecodable)?;
        out.reserve(most);
        match decoder.decode_to_string_without_replacement(run, out, true) {
            (DecoderResult::InputEmpty, _) => Ok(()),
            _ => Err(Undecodable),
        }
    }
}

const fn double_byte(text: &[u8]) -> Option<usize> {
    match text {
        [0..=0x7F, ..] => Some(1),
        [0x81..=0xFE, _, ..] => Some(2),
        _ => None,
    }
}

const fn gb2312(text: &[u8]) -> Option<usize> {
    match text {
        [0..=0x7F, ..] => Some(1),
        [0xA1..=0xF7, 0xA1..=0xFE, ..] => Some(2),
        _ => None,
    }
}

const fn gb18030(text: &[u8]) -> Option<usize> {
    match text {
        [0x81..=0xFE, 0x30..=0x39, ..] => Some(4),
        _ => double_byte(text),
    }
}

const fn shift_jis(text: &[u8]) -> Option<usize> {
    match text {
        [0..=0x7F | 0xA1..=0xDF, ..] => Some(1),
        [0x81..=0x9F | 0xE0..=0xFC, _, ..] => Some(2),
        _ => None,
    }
}

const fn euc_jp(text: &[u8]) -> Option<usize> {
    match text {
        [0..=0x7F, ..] => Some(1),
        [0x8F, ..] => Some(3),
        [0x8E | 0xA1..=0xFE, ..] => Some(2),
        _ => None,
    }
}
