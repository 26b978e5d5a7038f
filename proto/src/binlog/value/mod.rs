//! Column values as they stand in a row image.
//!
//! Numbers and temporals print themselves as MySQL's own literal, without quotes, onto a buffer
//! that the caller owns; none of it allocates beside that buffer's growth.

pub mod bit;
pub mod charset;
mod clock;
pub mod column_value;
pub mod compressed;
pub mod date;
pub mod datetime;
pub mod decimal;
mod digits;
pub mod float;
mod fraction;
pub mod inet;
pub mod int;
pub mod time;
pub mod timestamp;
pub mod year;

pub use bit::Bit;
pub use charset::Charset;
pub use column_value::{Take, Value};
pub use compressed::CompressedString;
pub use date::Date;
pub use datetime::DateTime;
pub use decimal::Decimal;
pub use digits::push_front;
pub use inet::{Inet4, Inet6};
pub use time::Time;
pub use timestamp::Timestamp;
pub use year::Year;

#[cfg(test)]
mod tests {
    /// The bytes that `text` names, two hexadecimal digits each.
    pub(super) fn hex(text: &str) -> Vec<u8> {
        let digit = |c: char| c.to_digit(16).unwrap();
        let digits: Vec<u32> = text.chars().map(digit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap())
            .collect()
    }
}
