//! Lists of paths as one argument of a statement: a JSON array, which both databases unpack.
//!
//! One statement with a thousand paths or references takes a fraction of the time of a thousand statements.

use pds_repo::Cid;
use pds_syntax::RepoPath;

use crate::column::full_bytes;

/// The number of hex digits of a CID.
pub(crate) const CID_DIGITS: usize = 72;

/// The text of a statement on both databases: where it says `LIST`, a column is compared with its second argument, a JSON array of paths.
macro_rules! with_list {
    ($dialect:expr, $before:literal, LIST, $after:literal) => {
        match $dialect {
            $crate::Dialect::Sqlite => concat!($before, " in (select value from json_each($2))", $after),
            $crate::Dialect::Postgres => {
                concat!($before, " = any(array(select json_array_elements_text($2::json)))", $after)
            }
        }
    };
}
pub(crate) use with_list;

/// A JSON array of paths.
pub(crate) fn paths<'a>(paths: impl IntoIterator<Item = &'a RepoPath>) -> String {
    array(paths, |out, path| out.push_str(path.as_str()))
}

/// A JSON array of CIDs in hex.
pub(crate) fn cids<'a>(cids: impl IntoIterator<Item = &'a Cid>) -> String {
    array(cids, push_hex)
}

/// A JSON array of references: [`CID_DIGITS`] hex digits of the blob's CID, then the path of the record.
pub(crate) fn references<'a>(references: impl IntoIterator<Item = (&'a Cid, &'a RepoPath)>) -> String {
    array(references, |out, (cid, path)| {
        push_hex(out, cid);
        out.push_str(path.as_str());
    })
}

/// Neither paths nor hex digits have characters that JSON would escape.
fn array<T>(items: impl IntoIterator<Item = T>, push: impl Fn(&mut String, T)) -> String {
    let mut out = String::from("[");
    for item in items {
        out.push_str(if out.len() > 1 { ",\"" } else { "\"" });
        push(&mut out, item);
        out.push('"');
    }
    out.push(']');
    out
}

fn push_hex(out: &mut String, cid: &Cid) {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).expect("half a byte is a hex digit");
    for byte in full_bytes(cid) {
        out.extend([digit(byte >> 4), digit(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_json_array() {
        let (cid, path) = (Cid::raw(b"blob"), "a.b.post/one".parse().unwrap());
        assert_eq!(paths([]), "[]");
        assert_eq!(paths([&path, &path]), r#"["a.b.post/one","a.b.post/one"]"#);
        let hex = cids([&cid]);
        assert_eq!(hex.len(), CID_DIGITS + 4);
        assert!(hex.starts_with(r#"["01551220"#), "{hex}");
        assert_eq!(references([(&cid, &path)]), format!("{}a.b.post/one\"]", &hex[..CID_DIGITS + 2]));
    }
}
