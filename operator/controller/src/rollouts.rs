//! Turns: how many instances replace their pods at the same time for a reason that concerns many of them, such as an edit of their class.
//!
//! A pod that an edit of one instance replaces neither waits for a turn nor takes one, so that no tenant holds the others up.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use operator_runtime::cache::Key;

/// A rollout that is seen for longer than this holds nobody up any more, and counts as stuck.
const LONGEST: Duration = Duration::from_secs(600);
/// In how many namespaces an image may get stuck before no further instance takes it.
const STUCK_NAMESPACES: usize = 3;
/// How long a turn is kept for a rollout that no watch has shown yet.
const UNSEEN: Duration = Duration::from_secs(30);

/// Pods that are being replaced in a turn.
#[derive(Clone, Debug)]
pub struct Rolling {
    /// Namespace and name of the instance.
    pub instance: Key,
    /// The image of the new pods.
    pub image: String,
    /// Whether Kubernetes gave up waiting for the new pods.
    pub is_stuck: bool,
}

/// Turns that were given, and since when rollouts are seen. What is under way is seen in the cluster; this bridges the time until a watch
/// shows it, and tells a rollout that gets on from one that does not.
#[derive(Debug, Default)]
pub struct Rollouts(Mutex<Turns>);

#[derive(Debug, Default)]
struct Turns {
    given: HashMap<Key, Instant>,
    seen: HashMap<Key, Instant>,
}

impl Rollouts {
    /// Gives an instance its turn, if fewer than `most` others have theirs now, and if the image did not get stuck in several namespaces
    /// already.
    pub fn take(&self, own: Key, image: &str, rolling: &[Rolling], most: usize) -> bool {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.given.retain(|_, since| since.elapsed() < UNSEEN);
        turns.seen.retain(|key, _| rolling.iter().any(|found| found.instance == *key));
        for found in rolling {
            turns.seen.entry(found.instance.clone()).or_insert_with(Instant::now);
        }
        let is_stuck = |found: &&Rolling| {
            found.is_stuck || turns.seen.get(&found.instance).is_some_and(|since| since.elapsed() >= LONGEST)
        };
        let stuck = rolling.iter().filter(|found| found.image == image).filter(is_stuck);
        if stuck.map(|found| &found.instance.0).collect::<HashSet<_>>().len() >= STUCK_NAMESPACES {
            return false;
        }
        let under_way = rolling.iter().filter(|found| !is_stuck(found)).map(|found| &found.instance);
        let others: HashSet<_> = under_way.chain(turns.given.keys()).filter(|key| **key != own).collect();
        let free = others.len() < most;
        if free {
            turns.given.insert(own, Instant::now());
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn key(namespace: &str, name: &str) -> Key {
        (namespace.to_owned(), name.to_owned())
    }

    fn rolling(namespace: &str, name: &str) -> Rolling {
        Rolling { instance: key(namespace, name), image: "pds:2".into(), is_stuck: false }
    }

    #[test]
    fn only_the_allowed_number_of_instances_has_a_turn() {
        let rollouts = Rollouts::default();
        let (a, b) = (rolling("ns", "a"), rolling("ns", "b"));
        assert!(rollouts.take(a.instance.clone(), "pds:2", &[], 2));
        assert!(rollouts.take(a.instance.clone(), "pds:2", from_ref(&a), 2), "its own rollout does not count");
        assert!(rollouts.take(b.instance.clone(), "pds:2", from_ref(&a), 2));
        assert!(!rollouts.take(key("ns", "c"), "pds:2", &[a.clone(), b], 2));
        assert!(!Rollouts::default().take(key("ns", "c"), "pds:2", &[a], 1));
    }

    #[test]
    fn an_image_that_is_stuck_in_three_namespaces_goes_no_further() {
        let stuck = ["x", "y", "z"].map(|namespace| Rolling { is_stuck: true, ..rolling(namespace, "a") });
        let other = key("other", "a");
        assert!(Rollouts::default().take(other.clone(), "pds:2", &stuck[..2], 1), "what is stuck holds no turn");
        assert!(!Rollouts::default().take(other.clone(), "pds:2", &stuck, 1));
        assert!(Rollouts::default().take(other, "pds:3", &stuck, 1), "the corrected image goes on");
    }
}
