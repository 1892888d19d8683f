//! A host's own rules for records: which collections may be written, and how large their records may be.
//!
//! Owns the file's form. The rules only narrow what the protocol allows, and only for new and changed records: deletions and imports are never
//! refused by them, so that nothing that people have or bring is lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    io::Read,
    path::{Path, PathBuf},
};

use pds_config::is_collection_rule;
use pds_repo::record::MAX_BYTES;
use pds_syntax::Nsid;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

/// Maximum size of the file, and maximum number of entries of a list in it.
const LARGEST: u64 = 1024 * 1024;
const MOST: usize = 10_000;
/// Faults that one message names.
const NAMED: usize = 20;

/// Rules for records. Without a file there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    allow: Option<BTreeSet<String>>,
    deny: BTreeSet<String>,
    max_bytes: BTreeMap<String, usize>,
}

/// Why a record may not be written here.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The collection is denied.
    #[error("This server does not accept records of {collection} (rule: deny {rule:?})")]
    Denied {
        /// The collection.
        collection: Nsid,
        /// The entry of the list.
        rule: String,
    },
    /// Other collections are allowed.
    #[error("This server does not accept records of {0} (rule: allow, which does not list it)")]
    NotAllowed(Nsid),
    /// The record is too large.
    #[error(
        "This server accepts records of {collection} with at most {limit} bytes, found {bytes} (rule: maxBytes {rule:?})"
    )]
    TooLarge {
        /// The collection.
        collection: Nsid,
        /// Size of the encoded record.
        bytes: usize,
        /// The smallest limit.
        limit: usize,
        /// The entry with this limit.
        rule: String,
    },
}

/// Why a file of rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It could not be read.
    #[error("read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is too large.
    #[error("{} has more than {LARGEST} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is not JSON.
    #[error("{} is not JSON", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The cause, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// It is JSON and says something that is no rule.
    #[error("{}: {}", .path.display(), listed(.faults))]
    Faults {
        /// The file.
        path: PathBuf,
        /// Each with its place.
        faults: Vec<String>,
    },
}

impl Rules {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or with all its faults.
    pub fn load(path: &Path) -> Result<Self, RulesError> {
        let read = |source| RulesError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        fs::File::open(path).map_err(read)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(read)?;
        if bytes.len() as u64 > LARGEST {
            return Err(RulesError::TooLarge { path: path.to_owned() });
        }
        let node: Node =
            serde_json::from_slice(&bytes).map_err(|source| RulesError::Json { path: path.to_owned(), source })?;
        Self::read(node).map_err(|faults| RulesError::Faults { path: path.to_owned(), faults })
    }

    /// Checks that records of this collection may be written.
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn check_collection(&self, collection: &Nsid) -> Result<(), Refusal> {
        if self.deny.is_empty() && self.allow.is_none() {
            return Ok(());
        }
        if let Some(rule) = patterns_of(collection).find(|pattern| self.deny.contains(pattern)) {
            return Err(Refusal::Denied { collection: collection.clone(), rule });
        }
        match &self.allow {
            Some(allow) if !patterns_of(collection).any(|pattern| allow.contains(&pattern)) => {
                Err(Refusal::NotAllowed(collection.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Checks the size of an encoded record.
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn check_size(&self, collection: &Nsid, bytes: usize) -> Result<(), Refusal> {
        if self.max_bytes.is_empty() {
            return Ok(());
        }
        let limits = patterns_of(collection).filter_map(|rule| Some((*self.max_bytes.get(&rule)?, rule)));
        match limits.min() {
            Some((limit, rule)) if bytes > limit => {
                Err(Refusal::TooLarge { collection: collection.clone(), bytes, limit, rule })
            }
            _ => Ok(()),
        }
    }

    fn read(node: Node) -> Result<Self, Vec<String>> {
        let Node::Object(pairs) = node else { return Err(vec!["the file must be an object".to_owned()]) };
        let (mut rules, mut faults, mut seen) = (Self::default(), Vec::new(), BTreeSet::new());
        for (name, node) in pairs {
            if !seen.insert(name.clone()) {
                faults.push(format!("{name} is there twice"));
            }
            match name.as_str() {
                "allow" => rules.allow = Some(collections("allow", node, &mut faults)),
                "deny" => rules.deny = collections("deny", node, &mut faults),
                "maxBytes" => rules.max_bytes = sizes(node, &mut faults),
                _ => faults.push(format!("{name:?} is no rule; allowed: allow, deny, maxBytes")),
            }
        }
        if faults.is_empty() { Ok(rules) } else { Err(faults) }
    }
}

/// The patterns that match a collection: its name, `a.b.*` and `a.*`, and `*`.
fn patterns_of(collection: &Nsid) -> impl Iterator<Item = String> {
    let name = collection.as_str();
    let prefixes = name.rmatch_indices('.').map(move |(dot, _)| format!("{}.*", &name[..dot]));
    std::iter::once(name.to_owned()).chain(prefixes).chain(["*".to_owned()])
}

fn collections(name: &str, node: Node, faults: &mut Vec<String>) -> BTreeSet<String> {
    let Node::List(items) = node else {
        faults.push(format!("{name} must be a list of collections"));
        return BTreeSet::new();
    };
    if items.len() > MOST {
        faults.push(format!("{name} has {} entries; allowed: {MOST}", items.len()));
        return BTreeSet::new();
    }
    let mut patterns = BTreeSet::new();
    for (at, item) in items.into_iter().enumerate() {
        match item {
            Node::Text(text) if is_collection_rule(&text) => _ = patterns.insert(text),
            Node::Text(text) => faults.push(no_pattern(&format!("{name}[{at}]"), &text)),
            _ => faults.push(format!("{name}[{at}] must be a text")),
        }
    }
    patterns
}

fn sizes(node: Node, faults: &mut Vec<String>) -> BTreeMap<String, usize> {
    let Node::Object(pairs) = node else {
        faults.push("maxBytes must be an object with collections and numbers".to_owned());
        return BTreeMap::new();
    };
    if pairs.len() > MOST {
        faults.push(format!("maxBytes has {} entries; allowed: {MOST}", pairs.len()));
        return BTreeMap::new();
    }
    let mut sizes = BTreeMap::new();
    for (pattern, node) in pairs {
        if !is_collection_rule(&pattern) {
            faults.push(no_pattern("maxBytes", &pattern));
        }
        match node {
            Node::Number(bytes) if (1..=MAX_BYTES).contains(&bytes) => {
                if sizes.insert(pattern.clone(), bytes).is_some() {
                    faults.push(format!("maxBytes[{pattern:?}] is there twice"));
                }
            }
            _ => faults.push(format!("maxBytes[{pattern:?}] must be a whole number from 1 to {MAX_BYTES}")),
        }
    }
    sizes
}

fn no_pattern(place: &str, text: &str) -> String {
    let text: String = text.chars().take(100).collect();
    format!("{place}: {text:?} is no collection; allowed: app.example.thing, app.example.*, *")
}

fn listed(faults: &[String]) -> String {
    let shown = faults.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    match faults.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown}; and {more} more faults"),
    }
}

/// JSON in which nothing is lost: an object may have a key twice.
enum Node {
    Object(Vec<(String, Node)>),
    List(Vec<Node>),
    Text(String),
    Number(usize),
    Other,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Node::Object(pairs))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(usize::try_from(number).map_or(Node::Other, Node::Number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn load(text: &str) -> Result<Rules, RulesError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Rules::load(file.path())
    }

    fn nsid(text: &str) -> Nsid {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_matches_what_is_below_it_and_the_smallest_limit_counts() {
        let rules = r#"{"allow": ["app.bsky.*", "com.example.thing"], "deny": ["app.bsky.graph.*"],
            "maxBytes": {"*": 500, "app.*": 400, "app.bsky.feed.post": 450}}"#;
        let rules = load(rules).unwrap();
        for (collection, accepted) in [
            ("app.bsky.feed.post", true),
            ("com.example.thing", true),
            ("app.bsky.graph.follow", false),
            ("app.bskyx.feed.post", false),
            ("com.example.thing2", false),
            ("com.example.thing.more", false),
        ] {
            assert_eq!(rules.check_collection(&nsid(collection)).is_ok(), accepted, "{collection}");
        }
        let denied = rules.check_collection(&nsid("app.bsky.graph.follow")).unwrap_err().to_string();
        assert!(denied.contains(r#"(rule: deny "app.bsky.graph.*")"#), "{denied}");
        assert!(rules.check_size(&nsid("app.bsky.feed.post"), 400).is_ok());
        let large = rules.check_size(&nsid("app.bsky.feed.post"), 401).unwrap_err().to_string();
        assert!(large.contains(r#"at most 400 bytes, found 401 (rule: maxBytes "app.*")"#), "{large}");
        assert!(rules.check_size(&nsid("com.example.thing"), 500).is_ok());
        assert_eq!(load("{}").unwrap(), Rules::default());
    }

    #[test]
    fn each_fault_is_named_with_its_place() {
        let faulty = r#"{"allow": ["app.bsky.*", "App.Bsky.*", 7, "app.bsky*"], "deny": "app.bsky.*", "deny": [],
            "maxBytes": {"app.*": 0, "x y": 3, "app.bsky.*": 1.5, "com.*": 9, "com.*": 8, "org.*": 9999999}, "denied": []}"#;
        let message = load(faulty).unwrap_err().to_string();
        for part in [
            r#"allow[1]: "App.Bsky.*" is no collection"#,
            "allow[2] must be a text",
            r#"allow[3]: "app.bsky*""#,
            "deny must be a list of collections",
            "deny is there twice",
            r#"maxBytes["app.*"] must be a whole number from 1 to 1048576"#,
            r#"maxBytes: "x y" is no collection"#,
            r#"maxBytes["app.bsky.*"] must be"#,
            r#"maxBytes["com.*"] is there twice"#,
            r#"maxBytes["org.*"] must be"#,
            r#""denied" is no rule; allowed: allow, deny, maxBytes"#,
        ] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        assert!(matches!(load("{"), Err(RulesError::Json { .. })));
        assert!(matches!(load("[]"), Err(RulesError::Faults { .. })));
        assert!(matches!(load(&" ".repeat(1024 * 1024 + 1)), Err(RulesError::TooLarge { .. })));
        assert!(matches!(Rules::load(Path::new("/nonexistent")), Err(RulesError::Read { .. })));
    }
}
