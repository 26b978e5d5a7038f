use arbitrary::Unstructured;
use bintrail_proto::binlog::jsonb::{Jsonb, Node, Style};
use serde_json::Value;

use crate::document::{Document, same};

/// Binary JSON of any bytes: what is printed is JSON, the same in both styles, and bounded.
pub fn jsonb(data: &[u8]) {
    let json = Jsonb::new(data);
    let (mut compact, mut spaced) = (b"before".to_vec(), Vec::new());
    let written = json.write_json(Style::Compact, &mut compact);
    assert_eq!(json.write_json(Style::MySql, &mut spaced), written);
    let text = compact.split_off(b"before".len());
    assert_eq!(compact, b"before");
    match written {
        Ok(()) => {
            assert!(text.len() <= 96 + 12 * data.len());
            let value: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(value, serde_json::from_slice::<Value>(&spaced).unwrap());
        }
        Err(error) => {
            super::check_error(&error, data.len());
            assert!(text.is_empty() && spaced.is_empty());
        }
    }
    match json.root() {
        Ok(root) => walk(&root, data.len(), 0, &mut 1000),
        Err(error) => {
            super::check_error(&error, data.len());
            assert_eq!(written, Err(error));
        }
    }
}

/// Visits nodes one at a time, as a caller would, `left` of them at most.
fn walk(node: &Node<'_>, len: usize, depth: usize, left: &mut u32) {
    if *left == 0 || depth > 100 {
        return;
    }
    *left -= 1;
    match node {
        Node::Array(array) => {
            assert!(array.len() <= len);
            assert!(matches!(array.get(array.len()), Ok(None)));
            for index in 0..array.len().min(50) {
                match array.get(index) {
                    Ok(value) => walk(&value.unwrap(), len, depth + 1, left),
                    Err(error) => super::check_error(&error, len),
                }
            }
        }
        Node::Object(object) => {
            assert!(object.len() <= len);
            assert!(matches!(object.member(object.len()), Ok(None)));
            for index in 0..object.len().min(50) {
                match object.member(index) {
                    Ok(member) => {
                        let (key, value) = member.unwrap();
                        // Keys out of order are not found, or another of the same name is.
                        if let Err(error) = object.get(key) {
                            super::check_error(&error, len);
                        }
                        walk(&value, len, depth + 1, left);
                    }
                    Err(error) => super::check_error(&error, len),
                }
            }
        }
        Node::String(text) => assert!(text.len() <= len),
        Node::Opaque(opaque) => assert!(opaque.data.len() <= len),
        Node::Double(number) => assert!(number.is_finite()),
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::Uint(_) => {}
    }
}

/// A document that is made up, written in binary and read again.
pub fn json_document(data: &[u8]) {
    let Ok(document) = Document::arbitrary(&mut Unstructured::new(data), 12) else {
        return;
    };
    let encoded = document.encode();
    let json = Jsonb::new(&encoded);
    let expected = document.to_value();
    for style in [Style::Compact, Style::MySql] {
        let mut text = Vec::new();
        json.write_json(style, &mut text).unwrap();
        let read: Value = serde_json::from_slice(&text).unwrap();
        assert!(same(&expected, &read), "{expected} {read}");
    }
    if let (Node::Object(object), Document::Object(members, _)) = (json.root().unwrap(), &document)
    {
        assert_eq!(object.len(), members.len());
        for (key, _) in members {
            assert!(object.get(key).unwrap().is_some(), "{key:?}");
        }
        assert!(
            object
                .get("a key that no fuzzer makes up")
                .unwrap()
                .is_none()
        );
    }
    // Cut anywhere, it is an error or, without what nothing points to, the same.
    for len in 1..encoded.len().min(64) {
        let mut text = Vec::new();
        if let Err(error) = Jsonb::new(&encoded[..len]).write_json(Style::Compact, &mut text) {
            super::check_error(&error, len);
        } else {
            let read: Value = serde_json::from_slice(&text).unwrap();
            assert!(same(&expected, &read), "{expected} {read}");
        }
    }
}
