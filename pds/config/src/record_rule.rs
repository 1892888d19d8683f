//! How rules for records name collections. The server and the operator read such rules.

use pds_syntax::Nsid;

/// Whether a text is a collection (`app.example.thing`), all collections below a domain (`app.example.*`), or all of them (`*`).
#[must_use]
pub fn is_collection_rule(text: &str) -> bool {
    // A prefix ends in the domain of the collections that it matches, so that some collection has it.
    let example = text.strip_suffix(".*").map_or_else(|| text.to_owned(), |prefix| format!("{prefix}.a.a"));
    text == "*" || example.parse::<Nsid>().is_ok_and(|nsid| nsid.is_canonical())
}

#[cfg(test)]
mod tests {
    use super::is_collection_rule;

    #[test]
    fn collections_and_their_beginnings_are_rules() {
        for text in ["*", "com.*", "app.example.*", "app.example.thing", "app.example.sub.thingTwo"] {
            assert!(is_collection_rule(text), "{text}");
        }
        for text in ["", "app", "app.example", "app.example.t*", "*.example", "app.Example.thing", "app..*", ".*"] {
            assert!(!is_collection_rule(text), "{text}");
        }
    }
}
