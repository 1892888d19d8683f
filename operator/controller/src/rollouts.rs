//! Turns: how many instances replace their pods at the same time for a reason that concerns many of them, such as an edit of their class.
//!
//! A pod that an edit of one instance replaces neither waits for a turn nor takes one, so that no tenant holds the others up.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use operator_runtime::cache::Key;

/// A rollout that takes longer than this counts as stuck and no longer occupies a turn.
const LONGEST: Duration = Duration::from_secs(600);
/// In how many namespaces an image may get stuck before no further instance takes it.
const STUCK_NAMESPACES: usize = 3;
/// Minutes without a rollout that make one minute with a rollout forgotten.
const FORGETS: u32 = 6;
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

/// What turns depend on of a Deployment or StatefulSet.
#[derive(Clone, Debug)]
pub struct Workload {
    pub metadata: ObjectMeta,
    /// Its rollout in a turn, if there is one.
    pub rolling: Option<Rolling>,
    /// Images with which its pods serve, while no others are awaited.
    pub serving: Vec<String>,
    /// Number of pods that are ready.
    pub ready: i32,
}

/// Turns that were given, and since when rollouts are seen. What is under way is seen in the cluster; this bridges the time until a watch
/// shows it, tells a rollout that gets on from one that does not, and counts for how long each namespace has held the others up.
#[derive(Debug, Default)]
pub struct Rollouts(Mutex<Turns>);

#[derive(Debug, Default)]
struct Turns {
    given: HashMap<Key, Instant>,
    /// Instances that asked in vain, with the time of their last question.
    waiting: HashMap<Key, Instant>,
    seen: HashMap<Key, Instant>,
    held: HashMap<String, Held>,
}

/// For how long rollouts of a namespace have held others up. It is forgotten slowly, so that pods which come and go cannot begin anew.
#[derive(Debug)]
struct Held {
    time: Duration,
    counted: Instant,
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
    /// already, and in more than those in which it serves: a few tenants alone stop no image. Of several that wait, the one whose namespace
    /// has held others up the least comes first. A namespace that has done so for ten minutes holds up only itself.
    pub fn take(&self, own: Key, image: &str, rolling: &[Rolling], serving: usize, most: usize) -> Turn {
        self.take_at(Instant::now(), own, image, rolling, serving, most)
    }

    fn take_at(&self, now: Instant, own: Key, image: &str, rolling: &[Rolling], serving: usize, most: usize) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.look(now, rolling);
        let is_stuck = |found: &&Rolling| {
            found.is_stuck || turns.seen.get(&found.instance).is_some_and(|since| now - *since >= LONGEST)
        };
        let stuck = rolling.iter().filter(|found| found.image == image).filter(is_stuck);
        let stuck = stuck.map(|found| &found.instance.0).collect::<HashSet<_>>().len();
        if stuck >= STUCK_NAMESPACES && stuck > serving {
            return Turn::Stuck(stuck);
        }
        let under_way = rolling.iter().filter(|found| !is_stuck(found)).map(|found| &found.instance);
        let counts = |key: &&Key| **key != own && (key.0 == own.0 || turns.held(&key.0) < LONGEST);
        let others: HashSet<_> = under_way.chain(turns.given.keys()).filter(counts).collect();
        let is_taken = others.len() >= most;
        if is_taken || turns.others_come_first(&own.0) {
            turns.waiting.insert(own, now);
            return Turn::Wait;
        }
        turns.waiting.remove(&own);
        turns.given.insert(own, now);
        Turn::Taken
    }
}

impl Turns {
    /// Notes what is under way now.
    fn look(&mut self, now: Instant, rolling: &[Rolling]) {
        self.given.retain(|_, since| now - *since < UNSEEN);
        self.waiting.retain(|_, asked| now - *asked < UNSEEN);
        self.seen.retain(|key, _| rolling.iter().any(|found| found.instance == *key));
        for found in rolling {
            self.seen.entry(found.instance.clone()).or_insert(now);
        }
        // A turn that was given counts too: an instance that cannot use its turn would ask for the next one at once.
        let given: Vec<_> = self.given.keys().map(|key| key.0.clone()).collect();
        let namespaces = rolling.iter().map(|found| found.instance.0.as_str()).chain(given.iter().map(String::as_str));
        let namespaces: HashSet<_> = namespaces.collect();
        for (namespace, held) in &mut self.held {
            // Nobody asked for a while, so nobody was held up.
            let passed = (now - held.counted).min(UNSEEN);
            held.counted = now;
            if namespaces.contains(namespace.as_str()) {
                held.time += passed;
            } else {
                held.time = held.time.saturating_sub(passed / FORGETS);
            }
        }
        self.held.retain(|namespace, held| !held.time.is_zero() || namespaces.contains(namespace.as_str()));
        for namespace in namespaces {
            let new = || Held { time: Duration::ZERO, counted: now };
            self.held.entry(namespace.to_owned()).or_insert_with(new);
        }
    }

    /// Whether an instance waits whose namespace has held others up for less time. Whoever asks most often would have every turn otherwise.
    fn others_come_first(&self, namespace: &str) -> bool {
        let own = self.held(namespace);
        self.waiting.keys().any(|key| key.0 != namespace && self.held(&key.0) < own)
    }

    fn held(&self, namespace: &str) -> Duration {
        self.held.get(namespace).map(|held| held.time).unwrap_or_default()
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

    /// Pods of a tenant that come and go would look like one rollout after the other.
    #[test]
    fn a_namespace_holds_others_up_for_ten_minutes_and_then_itself_alone() {
        let (rollouts, start) = (Rollouts::default(), Instant::now());
        let evil = rolling("evil", "a");
        let at = |seconds: u64, own: Key, rolling: &[Rolling]| {
            rollouts.take_at(start + Duration::from_secs(seconds), own, "pds:2", rolling, 0, 1)
        };
        for second in (0..580).step_by(10) {
            // One instance goes on where the other ends.
            let other = rolling("evil", if second % 20 == 0 { "a" } else { "b" });
            assert_eq!(at(second, key("ns", "c"), from_ref(&other)), Turn::Wait, "{second}");
        }
        assert_eq!(at(620, key("ns", "c"), &[]), Turn::Taken);
        assert_eq!(at(660, key("ns", "d"), from_ref(&evil)), Turn::Wait, "what is over is forgotten slowly");
        assert_eq!(at(690, key("ns", "d"), from_ref(&evil)), Turn::Taken);
        assert_eq!(at(730, key("evil", "c"), from_ref(&evil)), Turn::Wait, "its own instances still wait");
    }

    /// Every change of a Secret makes an instance ask.
    #[test]
    fn whoever_asks_most_often_comes_last() {
        let (rollouts, start) = (Rollouts::default(), Instant::now());
        let evil = rolling("evil", "a");
        let at = |seconds: u64, own: Key, rolling: &[Rolling]| {
            rollouts.take_at(start + Duration::from_secs(seconds), own, "pds:2", rolling, 0, 1)
        };
        assert_eq!(at(0, evil.instance.clone(), &[]), Turn::Taken);
        for second in 1..40 {
            at(second, key("evil", "b"), from_ref(&evil));
        }
        assert_eq!(at(40, key("ns", "c"), from_ref(&evil)), Turn::Wait);
        assert_eq!(at(41, key("evil", "b"), &[]), Turn::Wait, "the turn is free, and another namespace waits for it");
        assert_eq!(at(45, key("ns", "c"), &[]), Turn::Taken);
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
