//! JSON documents as SQL strings: what the server reads back as it stands.

use bintrail_proto::binlog::jsonb::{Jsonb, Node, write_string};

use super::literal::Refusal;

/// The JSON text of a document that an image has as bytes: JSON's own null, or a string that looks like bytes.
pub(super) fn text_of_bytes(bytes: &[u8]) -> Result<String, Refusal> {
    match Jsonb::new(bytes).root() {
        Ok(Node::Null) => Ok("null".to_owned()),
        Ok(Node::String(text)) => {
            let mut out = Vec::new();
            write_string(&mut out, text);
            String::from_utf8(out).map_err(|_| "holds a string that is not UTF-8".into())
        }
        Ok(_) => Err("holds a JSON document of 100 levels".into()),
        Err(_) => Err("holds a JSON document that cannot be read".into()),
    }
}

/// Would the server read back the numbers in `json` as they stand? A decimal in a JSON document would become a
/// double.
pub(super) fn check_numbers(json: &str) -> Result<(), Refusal> {
    let mut rest = json.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        match byte {
            b'"' => {
                let mut inner = behind;
                while let Some((&byte, more)) = inner.split_first() {
                    inner = match byte {
                        b'\\' => more.get(1..).unwrap_or_default(),
                        _ => more,
                    };
                    if byte == b'"' {
                        break;
                    }
                }
                rest = inner;
            }
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &u8| {
                    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
                };
                let len = rest.iter().take_while(|byte| is_part(byte)).count();
                let (number, more) = rest.split_at(len);
                let number = std::str::from_utf8(number).unwrap_or_default();
                if !reads_back(number) {
                    return Err(format!(
                        "holds the JSON decimal {number}, which cannot be written as JSON text"
                    )
                    .into());
                }
                rest = more;
            }
            _ => rest = behind,
        }
    }
    Ok(())
}

fn reads_back(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    let Ok(value) = number.parse::<f64>() else {
        return false;
    };
    let mantissa = |text: &str| {
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        mantissa.trim_start_matches('-').to_owned()
    };
    let own = mantissa(number);
    let own = own.strip_suffix(".0").unwrap_or(&own);
    // A double's digits do not end in a zero behind the point.
    if own.contains('.') && own.ends_with('0') {
        return false;
    }
    let digits = |text: &str| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.trim_matches('0').to_owned()
    };
    digits(own) == digits(&mantissa(&format!("{value:e}")))
}
