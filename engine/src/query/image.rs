//! Row images, as they are kept: JSON objects whose values are looked at but not taken apart.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A row image: column names and the JSON text of their values, in column order.
#[derive(Debug, Default)]
pub struct Image<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Image<'a> {
    /// Reads an image.
    ///
    /// # Errors
    ///
    /// When it is not a JSON object.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The columns and the JSON of their values.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// The JSON of a column's value; `None` when the image lacks it.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(name, _)| name == column);
        found.map(|(_, value)| *value)
    }

    /// Is `value` what the column holds: the text of a string, or the JSON as it stands?
    pub(super) fn has(&self, column: &str, value: &str) -> bool {
        let mut held = self
            .0
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(column));
        held.any(|(_, json)| *json == value || text_of(json).is_some_and(|text| text == value))
    }
}

/// The text that a JSON string stands for; `None` for other JSON.
#[must_use]
pub fn text_of(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(json).map(Cow::Owned).ok();
    }
    Some(Cow::Borrowed(inner))
}

/// The columns of `after` that `before` has another value of, or none. The images' texts are compared: 0 and -0
/// are two values.
pub fn changed_columns<'i>(
    before: &'i Image<'_>,
    after: &'i Image<'_>,
) -> impl Iterator<Item = &'i str> {
    after
        .0
        .iter()
        .enumerate()
        .filter_map(|(at, (name, value))| {
            // Nearly always at the same place.
            let same_place = before.0.get(at).filter(|(other, _)| other == name);
            let held = match same_place {
                Some((_, held)) => Some(*held),
                None => before.get(name),
            };
            (held != Some(*value)).then_some(&**name)
        })
}

impl<'de: 'a, 'a> Deserialize<'de> for Image<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Columns)
    }
}

struct Columns;

impl<'de> Visitor<'de> for Columns {
    type Value = Image<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row image")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut columns = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            columns.push((name, value.get()));
        }
        Ok(Image(columns))
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_as_they_stand() {
        let text =
            r#"{"id":18446744073709551615,"a\"b":"x\"y","d":-0.0,"j":{"k":[1,2.50]},"n":null}"#;
        let image = Image::parse(text).unwrap();
        let columns: Vec<_> = image.columns().collect();
        assert_eq!(
            columns,
            [
                ("id", "18446744073709551615"),
                ("a\"b", r#""x\"y""#),
                ("d", "-0.0"),
                ("j", r#"{"k":[1,2.50]}"#),
                ("n", "null"),
            ]
        );
        for (column, value, has) in [
            ("ID", "18446744073709551615", true),
            ("a\"b", "x\"y", true),
            ("n", "null", true),
            ("n", "", false),
            ("d", "0.0", false),
            ("x", "null", false),
        ] {
            assert_eq!(image.has(column, value), has, "{column}={value}");
        }
        assert!(Image::parse("[1]").is_err());
    }

    #[test]
    fn changed_columns_are_those_whose_text_differs() {
        let before = Image::parse(r#"{"id":1,"a":0.0,"b":"x","c":null}"#).unwrap();
        let after = Image::parse(r#"{"id":1,"b":"y","a":-0.0,"c":null,"e":null}"#).unwrap();
        let changed: Vec<_> = changed_columns(&before, &after).collect();
        assert_eq!(changed, ["b", "a", "e"]);
    }
}
