//! Alternative texts of blobs. They belong to records: two records may describe one blob differently.

use ipld_core::ipld::Ipld;

use super::{Error, unpacked};
use crate::Cid;

/// The field with an alternative text, in the object whose other field is the blob; as in `app.bsky.embed.images#image`.
const ALT: &str = "alt";

/// The alternative text that a record gives a blob; the first one if it refers to the blob more than once.
///
/// # Errors
/// As [`decode`](super::decode).
pub fn alternative_text(record: &[u8], blob: &Cid) -> Result<Option<String>, Error> {
    Ok(find(&unpacked(record)?, blob))
}

fn find(value: &Ipld, blob: &Cid) -> Option<String> {
    match value {
        Ipld::Map(fields) => {
            if let Some(Ipld::String(text)) = fields.get(ALT)
                && fields.values().any(|field| is_reference(field, blob))
            {
                return Some(text.clone());
            }
            fields.values().find_map(|field| find(field, blob))
        }
        Ipld::List(values) => values.iter().find_map(|value| find(value, blob)),
        _ => None,
    }
}

/// Whether a value is a reference to the blob, in the form of today or in that of 2022.
fn is_reference(value: &Ipld, blob: &Cid) -> bool {
    let Ipld::Map(fields) = value else { return false };
    match (fields.get("ref"), fields.get("cid")) {
        (Some(Ipld::Link(link)), _) => Cid::try_from(link).is_ok_and(|cid| cid == *blob),
        (None, Some(Ipld::String(text))) => text.parse().is_ok_and(|cid: Cid| cid == *blob),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::record::from_json;

    fn alt(record: &Value, blob: &Cid) -> Option<String> {
        alternative_text(&from_json(record).unwrap().bytes, blob).unwrap()
    }

    #[test]
    fn a_text_stands_beside_its_blob() {
        let (cat, dog) = (Cid::raw(b"cat"), Cid::raw(b"dog"));
        let blob = |cid: &Cid| json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": "image/png", "size": 3});
        let post = json!({"$type": "app.bsky.feed.post", "alt": "of the post", "embed": {
            "$type": "app.bsky.embed.images",
            "images": [{"alt": "", "image": blob(&cat)}, {"alt": "a dog", "image": blob(&dog)}],
        }});
        assert_eq!(alt(&post, &cat).as_deref(), Some(""));
        assert_eq!(alt(&post, &dog).as_deref(), Some("a dog"));
        assert_eq!(alt(&post, &Cid::raw(b"owl")), None);
        let profile = json!({"$type": "app.bsky.actor.profile", "avatar": blob(&cat)});
        assert_eq!(alt(&profile, &cat), None);
        let old = json!({"$type": "a.b.c", "alt": "old", "image": {"cid": cat, "mimeType": "image/png"}});
        assert_eq!(alt(&old, &cat).as_deref(), Some("old"));
    }
}
