use bintrail_proto::binlog::value::Charset;

/// Text of every character set: decoding is strict and bounded, and a text is its parts.
///
/// Input: the collation's number, where the text is cut in two, and its bytes.
pub fn charset(data: &[u8]) {
    let [low, high, cut, bytes @ ..] = data else {
        return;
    };
    let collation = u16::from_le_bytes([*low, *high]) % 400;
    let Some(charset) = Charset::from_collation(collation) else {
        return;
    };
    assert_eq!(Charset::from_name(charset.name()), Some(charset));
    let (mut scratch, mut other) = ("left over".to_owned(), String::new());
    let decoded = charset.to_utf8(bytes, &mut scratch);
    if let Ok(text) = decoded {
        assert!(text.len() <= 3 * bytes.len(), "{charset:?}");
        assert!(text.chars().count() <= bytes.len());
    }
    match charset {
        Charset::Utf8mb4 => assert_eq!(decoded.ok(), str::from_utf8(bytes).ok()),
        Charset::Binary => assert!(decoded.is_err()),
        _ => {}
    }
    let (head, tail) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    let (mut of_head, mut of_tail) = (String::new(), String::new());
    if let (Ok(head), Ok(tail)) = (
        charset.to_utf8(head, &mut of_head),
        charset.to_utf8(tail, &mut of_tail),
    ) {
        assert_eq!(
            charset.to_utf8(bytes, &mut other),
            Ok([head, tail].concat().as_str())
        );
    }
    let plain = bytes.is_ascii()
        && !matches!(
            charset,
            Charset::Binary
                | Charset::Swe7
                | Charset::Ucs2
                | Charset::Utf16
                | Charset::Utf16le
                | Charset::Utf32
        );
    if plain {
        assert_eq!(
            charset.to_utf8(bytes, &mut other).map(str::as_bytes),
            Ok(bytes)
        );
    }
}
