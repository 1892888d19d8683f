//! What is kept of Secrets: bounded for each namespace, and forgotten when nobody asks for it. Never asks the API server.
//!
//! Whoever may write an instance decides which keys of which Secrets are asked for, so names and keys count as values do. Whatever is forgotten
//! is read again when somebody asks for it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::content::Content;
use crate::cache::Key;

/// Maximum number of bytes kept of the Secrets of one namespace. What was not used for the longest time goes first.
pub(super) const NAMESPACE_BYTES: usize = 8 << 20;
/// What is left of a namespace's bytes once it had too many, so that not every Secret after it makes room anew.
const ROOM: usize = NAMESPACE_BYTES / 4 * 3;
/// Maximum number of keys of one Secret that are kept. With more than that the one that was not asked for the longest time goes first.
pub(super) const MOST_KEYS: usize = 256;
/// What a pair of texts takes beside its bytes.
const PAIR: usize = 64;
/// What an entry takes beside its content: its name, and the first few keys.
const OVERHEAD: usize = 1024;
/// Time after which what is not used is dropped.
pub(super) const UNUSED: Duration = Duration::from_secs(1200);
/// Between two looks for what is not used.
const SWEEP: Duration = Duration::from_secs(60);

/// Keys of a Secret, each with the time at which it was last asked for.
pub(super) type Keys = BTreeMap<Arc<str>, Instant>;

/// What is known of all Secrets.
#[derive(Debug, Default)]
pub(super) struct Known {
    namespaces: HashMap<String, Shelf>,
    asked: HashMap<Key, Asked>,
    swept: Option<Instant>,
}

/// The Secrets of a namespace, by name.
#[derive(Debug, Default)]
struct Shelf {
    entries: HashMap<String, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    /// The keys that `content` answers. None for a Secret that does not exist: it has no key, whichever is asked for.
    keys: Keys,
    content: Option<Arc<Content>>,
    used: Instant,
    bytes: usize,
}

/// An answer that is under way.
#[derive(Debug, Default)]
struct Asked {
    readers: usize,
    /// Whether the Secret changed meanwhile, so that the answer is not kept.
    is_stale: bool,
}

impl Known {
    /// What is known of a Secret under some keys: nothing, or that it does not exist, or its content, which may have other keys as well.
    pub(super) fn find(&mut self, key: &Key, keys: &[&str], now: Instant) -> Option<Option<Arc<Content>>> {
        let entry = self.namespaces.get_mut(&key.0)?.entries.get_mut(&key.1)?;
        if entry.content.is_some() && !keys.iter().all(|key| entry.keys.contains_key(*key)) {
            return None;
        }
        entry.used = now;
        for key in keys {
            if let Some(used) = entry.keys.get_mut(*key) {
                *used = now;
            }
        }
        Some(entry.content.clone())
    }

    /// Begins a question: gives the keys to read, with those that others asked for before.
    pub(super) fn ask(&mut self, key: &Key, keys: &[&str], now: Instant) -> Keys {
        self.asked.entry(key.clone()).or_default().readers += 1;
        let mut wanted: Keys = keys.iter().map(|key| (Arc::from(*key), now)).collect();
        let Some(entry) = self.namespaces.get(&key.0).and_then(|shelf| shelf.entries.get(&key.1)) else {
            return wanted;
        };
        let is_used = |used: &Instant| now.saturating_duration_since(*used) < UNUSED;
        let others = entry.keys.iter().filter(|(key, used)| is_used(used) && !wanted.contains_key(*key));
        let mut others: Vec<_> = others.map(|(key, used)| (key.clone(), *used)).collect();
        others.sort_unstable_by_key(|(_, used)| Reverse(*used));
        others.truncate(MOST_KEYS.saturating_sub(wanted.len()));
        wanted.extend(others);
        wanted
    }

    /// Ends a question; true if the answer may be kept.
    pub(super) fn answered(&mut self, key: &Key) -> bool {
        let Some(asked) = self.asked.get_mut(key) else { return false };
        asked.readers -= 1;
        let is_fresh = !asked.is_stale;
        if asked.readers == 0 {
            self.asked.remove(key);
        }
        is_fresh
    }

    /// Keeps what a Secret holds under these keys, or that it does not exist.
    pub(super) fn keep(&mut self, (namespace, name): Key, keys: Keys, content: Option<Arc<Content>>, now: Instant) {
        if self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP) {
            self.swept = Some(now);
            self.namespaces.retain(|_, shelf| shelf.drop_unused(now));
        }
        let shelf = self.namespaces.entry(namespace).or_default();
        shelf.put(name, Entry::new(keys, content, now));
        shelf.make_room();
    }

    /// Forgets a Secret that changed.
    pub(super) fn forget(&mut self, key: &Key) {
        if let Some(shelf) = self.namespaces.get_mut(&key.0) {
            shelf.remove(&key.1);
            if shelf.entries.is_empty() {
                self.namespaces.remove(&key.0);
            }
        }
        if let Some(asked) = self.asked.get_mut(key) {
            asked.is_stale = true;
        }
    }

    /// Forgets all Secrets, or those of one namespace.
    pub(super) fn forget_all(&mut self, namespace: Option<&str>) {
        let is_concerned = |other: &str| namespace.is_none_or(|namespace| other == namespace);
        self.namespaces.retain(|namespace, _| !is_concerned(namespace));
        self.asked.iter_mut().filter(|(key, _)| is_concerned(&key.0)).for_each(|(_, asked)| asked.is_stale = true);
    }
}

impl Shelf {
    fn put(&mut self, name: String, entry: Entry) {
        self.remove(&name);
        self.bytes += entry.bytes;
        self.entries.insert(name, entry);
    }

    fn remove(&mut self, name: &str) {
        if let Some(gone) = self.entries.remove(name) {
            self.bytes -= gone.bytes;
        }
    }

    /// True if something is left.
    fn drop_unused(&mut self, now: Instant) -> bool {
        self.entries.retain(|_, entry| now.saturating_duration_since(entry.used) < UNUSED);
        self.bytes = self.entries.values().map(|entry| entry.bytes).sum();
        !self.entries.is_empty()
    }

    fn make_room(&mut self) {
        if self.bytes <= NAMESPACE_BYTES {
            return;
        }
        let mut oldest: Vec<_> = self.entries.iter().map(|(name, entry)| (entry.used, name.clone())).collect();
        oldest.sort_unstable();
        for (_, name) in oldest {
            if self.bytes <= ROOM {
                return;
            }
            self.remove(&name);
        }
    }
}

impl Entry {
    fn new(keys: Keys, content: Option<Arc<Content>>, now: Instant) -> Self {
        let keys = if content.is_some() { keys } else { Keys::new() };
        let bytes = OVERHEAD
            + keys.keys().map(|key| key.len() + PAIR).sum::<usize>()
            + content.as_deref().map(bytes).unwrap_or_default();
        Self { keys, content, used: now, bytes }
    }
}

/// About what a content takes, labels and annotations included: whoever writes a Secret writes those, too.
fn bytes(content: &Content) -> usize {
    let texts = |map: &Option<BTreeMap<String, String>>| {
        map.iter().flatten().map(|(key, value)| key.len() + value.len() + PAIR).sum::<usize>()
    };
    let values = content.values.iter().map(|(key, value)| key.len() + value.len() + PAIR).sum::<usize>();
    let too_long = content.too_long.iter().map(|key| key.len() + PAIR).sum::<usize>();
    values + too_long + texts(&content.metadata.labels) + texts(&content.metadata.annotations)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::super::LONGEST_ANNOTATION;
    use super::*;

    fn secret(name: &str) -> Key {
        ("ns".into(), name.into())
    }

    /// The longest key that Kubernetes takes.
    fn long(number: usize) -> String {
        format!("{number:0253}")
    }

    /// Asks for a key as a reconciliation does. The Secret exists and has no such key. True if the API server was asked.
    fn look(known: &mut Known, name: &str, key: &str, now: Instant) -> bool {
        if known.find(&secret(name), &[key], now).is_some() {
            return false;
        }
        let keys = known.ask(&secret(name), &[key], now);
        assert!(keys.len() <= MOST_KEYS, "{}", keys.len());
        assert!(known.answered(&secret(name)));
        known.keep(secret(name), keys, Some(Arc::default()), now);
        true
    }

    fn keys(known: &Known, name: &str) -> usize {
        known.namespaces["ns"].entries[name].keys.len()
    }

    /// K1 of the twelfth attack: an instance names another key of one Secret with each edit.
    #[test]
    fn of_the_keys_that_are_asked_for_the_newest_are_kept() {
        let (mut known, start) = (Known::default(), Instant::now());
        let at = |number: usize| start + Duration::from_millis(u64::try_from(number).unwrap());
        let count = MOST_KEYS * 8;
        for number in 0..count {
            assert!(look(&mut known, "db", &long(number), at(number)));
        }
        assert_eq!(keys(&known, "db"), MOST_KEYS);
        assert!(known.namespaces["ns"].bytes < OVERHEAD + MOST_KEYS * (253 + PAIR) + PAIR);
        assert!(!look(&mut known, "db", &long(count - MOST_KEYS), at(count)), "it is one of the newest");
        assert!(look(&mut known, "db", &long(0), at(count)), "what was forgotten is read again");
        assert!(!look(&mut known, "db", &long(count - MOST_KEYS), at(count)), "what is used stays");
        assert_eq!(keys(&known, "db"), MOST_KEYS);
    }

    #[test]
    fn a_secret_that_does_not_exist_has_no_key_and_none_is_kept() {
        let (mut known, now) = (Known::default(), Instant::now());
        assert_eq!(known.find(&secret("nosuch"), &["a"], now), None);
        let keys = known.ask(&secret("nosuch"), &["a"], now);
        assert!(known.answered(&secret("nosuch")));
        known.keep(secret("nosuch"), keys, None, now);
        for number in 0..1_000 {
            assert_eq!(known.find(&secret("nosuch"), &[&long(number)], now), Some(None));
        }
        assert_eq!(known.namespaces["ns"].bytes, OVERHEAD);
        known.forget(&secret("nosuch"));
        assert_eq!(known.find(&secret("nosuch"), &["a"], now), None, "it may have been made");
        assert!(known.namespaces.is_empty() && known.asked.is_empty());
    }

    #[test]
    fn keys_that_nobody_asks_for_any_more_are_not_read_again() {
        let (mut known, start) = (Known::default(), Instant::now());
        for number in 0..8 {
            look(&mut known, "db", &long(number), start);
        }
        let later = start + UNUSED - Duration::from_secs(1);
        assert!(!look(&mut known, "db", &long(0), later));
        assert!(look(&mut known, "db", "new", later + Duration::from_secs(2)));
        assert_eq!(keys(&known, "db"), 2);
    }

    #[test]
    fn secrets_that_nobody_asks_for_any_more_are_forgotten() {
        let (mut known, start) = (Known::default(), Instant::now());
        look(&mut known, "old", "a", start);
        look(&mut known, "used", "a", start);
        assert!(!look(&mut known, "used", "a", start + UNUSED / 2));
        look(&mut known, "new", "a", start + UNUSED);
        let shelf = &known.namespaces["ns"];
        let mut names: Vec<_> = shelf.entries.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["new", "used"]);
        assert_eq!(shelf.bytes, shelf.entries.values().map(|entry| entry.bytes).sum::<usize>());
    }

    /// One tenant names one Secret after the other, each with as much beside its values as is kept.
    #[test]
    fn what_is_kept_of_a_namespace_is_bounded_and_the_newest_stays() {
        let annotations = (0..64).map(|n| (format!("auroralocus.dev/{n}"), "x".repeat(LONGEST_ANNOTATION)));
        let metadata = ObjectMeta { annotations: Some(annotations.collect()), ..Default::default() };
        let large = Arc::new(Content { metadata, ..Content::default() });
        let many: Keys = (0..MOST_KEYS).map(|number| (long(number).into(), Instant::now())).collect();
        for (keys, content) in [(Keys::new(), large), (many, Arc::default())] {
            let mut known = Known::default();
            let start = Instant::now();
            known.keep(("other".into(), "one".into()), keys.clone(), Some(content.clone()), start);
            for number in 0..1_000_u32 {
                let now = start + Duration::from_millis(number.into());
                known.keep(secret(&number.to_string()), keys.clone(), Some(content.clone()), now);
            }
            let own = &known.namespaces["ns"];
            let bytes: usize = own.entries.values().map(|entry| entry.bytes).sum();
            assert_eq!(bytes, own.bytes);
            assert!((NAMESPACE_BYTES / 2..=NAMESPACE_BYTES).contains(&bytes), "{bytes}");
            assert!(own.entries.contains_key("999"));
            assert!(known.namespaces["other"].entries.contains_key("one"), "others lose nothing");
        }
    }

    #[test]
    fn an_answer_that_a_change_overtook_is_not_kept() {
        let (mut known, now) = (Known::default(), Instant::now());
        for forget in [|known: &mut Known| known.forget(&secret("db")), |known: &mut Known| known.forget_all(None)] {
            known.ask(&secret("db"), &["a"], now);
            forget(&mut known);
            assert!(!known.answered(&secret("db")));
        }
        known.ask(&secret("db"), &["a"], now);
        known.forget_all(Some("other"));
        assert!(known.answered(&secret("db")));
    }
}
