//! Turns: how many instances replace their pods at the same time for a reason that concerns many of them, such as an edit of their class.
//!
//! A pod that an edit of one instance replaces neither waits for a turn nor takes one, so that no tenant holds the others up.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use operator_runtime::cache::Key;

/// A rollout that takes longer than this counts as stuck and no longer occupies a turn.
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

/// Whether an instance may replace its pods now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has its turn.
    Taken,
    /// As many others as allowed have theirs.
    Wait,
    /// The image got stuck in instances of this many namespaces, so no further instance takes it.
    Stuck(usize),
}

impl Rollouts {
    /// Gives an instance its turn, if fewer than `most` others have theirs now, and if the image did not get stuck in several namespaces
    /// already, and in more than those in which it serves: a few tenants alone stop no image.
    pub fn take(&self, own: Key, image: &str, rolling: &[Rolling], serving: usize, most: usize) -> Turn {
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
        let stuck = stuck.map(|found| &found.instance.0).collect::<HashSet<_>>().len();
        if stuck >= STUCK_NAMESPACES && stuck > serving {
            return Turn::Stuck(stuck);
        }
        let under_way = rolling.iter().filter(|found| !is_stuck(found)).map(|found| &found.instance);
        let others: HashSet<_> = under_way.chain(turns.given.keys()).filter(|key| **key != own).collect();
        if others.len() >= most {
            return Turn::Wait;
        }
        turns.given.insert(own, Instant::now());
        Turn::Taken
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
        let take = |own: Key, rolling: &[Rolling]| rollouts.take(own, "pds:2", rolling, 0, 2);
        assert_eq!(take(a.instance.clone(), &[]), Turn::Taken);
        assert_eq!(take(a.instance.clone(), from_ref(&a)), Turn::Taken, "its own rollout does not count");
        assert_eq!(take(b.instance.clone(), from_ref(&a)), Turn::Taken);
        assert_eq!(take(key("ns", "c"), &[a.clone(), b]), Turn::Wait);
        assert_eq!(Rollouts::default().take(key("ns", "c"), "pds:2", &[a], 0, 1), Turn::Wait);
    }

    #[test]
    fn an_image_that_is_stuck_in_three_namespaces_goes_no_further() {
        let stuck = ["x", "y", "z"].map(|namespace| Rolling { is_stuck: true, ..rolling(namespace, "a") });
        let take = |image: &str, rolling: &[Rolling], serving: usize| {
            Rollouts::default().take(key("other", "a"), image, rolling, serving, 1)
        };
        assert_eq!(take("pds:2", &stuck[..2], 0), Turn::Taken, "what is stuck holds no turn");
        assert_eq!(take("pds:2", &stuck, 2), Turn::Stuck(3));
        assert_eq!(take("pds:2", &stuck, 3), Turn::Taken, "it serves in as many");
        assert_eq!(take("pds:3", &stuck, 0), Turn::Taken, "the corrected image goes on");
    }
}
