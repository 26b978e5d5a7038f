//! Hours, minutes and seconds, and their fraction.

use crate::error::Fault;

use super::digits::{self, push_front, two};

/// A time of day, or the amount of a TIME; its fraction is printed with `fsp` digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Clock {
    pub(super) hour: u16,
    pub(super) minute: u8,
    pub(super) second: u8,
    pub(super) micros: u32,
    pub(super) fsp: u8,
}

impl Clock {
    /// A time of these parts, if they are in range and the hour at most `max_hour`; they were
    /// read at `input`.
    #[inline(always)]
    pub(super) fn whole_seconds(
        input: &[u8],
        max_hour: u16,
        [hour, minute, second]: [u64; 3],
    ) -> Result<Self, nom::Err<Fault>> {
        match (
            u16::try_from(hour),
            u8::try_from(minute),
            u8::try_from(second),
        ) {
            (Ok(hour), Ok(minute @ ..=59), Ok(second @ ..=59)) if hour <= max_hour => Ok(Self {
                hour,
                minute,
                second,
                micros: 0,
                fsp: 0,
            }),
            _ => Err(Fault::invalid(input, "time out of range")),
        }
    }

    /// The same with a fraction, of which `fsp` digits are printed.
    pub(super) const fn with_fraction(self, micros: u32, fsp: u8) -> Self {
        Self {
            micros,
            fsp,
            ..self
        }
    }

    /// Appends `hh:mm:ss[.f…]`, with a third digit for hours above 99.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        if self.hour > 99 {
            let [_, hundreds] = two(u32::from(self.hour) / 100);
            out.push(hundreds);
        }
        write(
            out,
            [self.hour % 100, self.minute.into(), self.second.into()].map(u32::from),
            self.micros,
            self.fsp,
        );
    }
}

/// Appends `hh:mm:ss[.f…]`.
#[inline(always)]
pub(super) fn write(out: &mut Vec<u8>, [hour, minute, second]: [u32; 3], micros: u32, fsp: u8) {
    let behind = if fsp == 0 { 0 } else { 1 + usize::from(fsp) };
    push_front(
        out,
        &digits::clock(hour, minute, second, micros),
        8 + behind,
    );
}

/// Splits the packed form of the types with fractions: hours, then 6 bits each of minute, second.
pub(super) const fn unpack(packed: u64) -> [u64; 3] {
    [packed >> 12, packed >> 6 & 63, packed & 63]
}

/// Splits the decimal form of the old types: the digits `hhmmss`.
pub(super) const fn split_decimal(digits: u64) -> [u64; 3] {
    [digits / 10_000, digits / 100 % 100, digits % 100]
}
