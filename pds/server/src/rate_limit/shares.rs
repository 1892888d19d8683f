//! A limited number of places that subjects share, so that none of them can take all.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Places, shared among subjects. Cheap to clone.
#[derive(Clone)]
pub struct Shares(Arc<Shared>);

struct Shared {
    max: usize,
    of_one: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_subject: HashMap<String, usize>,
}

/// A place that is free again when this is dropped.
pub struct Share {
    subject: String,
    home: Shares,
}

impl Shares {
    /// `max` places, of which one subject gets `of_one`.
    pub fn new(max: usize, of_one: usize) -> Self {
        Self(Arc::new(Shared { max, of_one, taken: Mutex::default() }))
    }

    /// A place, if one is free and the subject has less than its share. With an empty subject only the number of all places counts.
    pub fn take(&self, subject: &str) -> Option<Share> {
        let mut taken = self.taken();
        let own = taken.by_subject.get(subject).copied().unwrap_or(0);
        if taken.all >= self.0.max || (own >= self.0.of_one && !subject.is_empty()) {
            return None;
        }
        taken.all += 1;
        *taken.by_subject.entry(subject.to_owned()).or_default() += 1;
        Some(Share { subject: subject.to_owned(), home: self.clone() })
    }

    /// Whether all places are taken.
    pub fn is_full(&self) -> bool {
        self.taken().all >= self.0.max
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.home.taken();
        taken.all -= 1;
        if let Some(own) = taken.by_subject.get_mut(&self.subject) {
            *own -= 1;
            if *own == 0 {
                taken.by_subject.remove(&self.subject);
            }
        }
    }
}

impl fmt::Debug for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shares({} of {})", self.taken().all, self.0.max)
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subject_gets_its_share_and_all_together_no_more_than_there_is() {
        let shares = Shares::new(3, 2);
        let own = [shares.take("a").unwrap(), shares.take("a").unwrap()];
        assert!(shares.take("a").is_none());
        let other = shares.take("b").unwrap();
        assert!(shares.take("c").is_none() && shares.take("").is_none());
        drop(own);
        assert!(shares.take("").is_some() && shares.take("a").is_some());
        drop(other);
    }
}
