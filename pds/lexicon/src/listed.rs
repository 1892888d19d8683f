//! Lists of a schema.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

use serde::{Deserialize, Deserializer};

/// Values in the order of the document, each once. Whether it contains a value takes the same time however many there are: schemas of strangers may
/// list thousands, and a record has a hundred thousand values to look up.
#[derive(Debug, Clone)]
pub(crate) struct Listed<T> {
    order: Vec<T>,
    /// Empty for short lists, in which looking at each value is faster.
    all: HashSet<T>,
}

/// Number of values up to which a list is searched one by one.
const SHORT: usize = 8;
/// Maximum number of values in a message.
const SHOWN: usize = 50;

impl<T: Clone + Eq + Hash> Listed<T> {
    pub(crate) fn contains<Q: ?Sized + Eq + Hash>(&self, value: &Q) -> bool
    where
        T: std::borrow::Borrow<Q>,
    {
        match self.all.is_empty() {
            true => self.order.iter().any(|item| item.borrow() == value),
            false => self.all.contains(value),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.order.iter()
    }

    /// Changes the values.
    pub(crate) fn each(&mut self, change: impl FnMut(&mut T)) {
        let mut order = std::mem::take(&mut self.order);
        order.iter_mut().for_each(change);
        *self = order.into();
    }

    /// The values in the words of an error message.
    pub(crate) fn show(&self, item: impl Fn(&T) -> String, between: &str) -> String {
        let shown: Vec<_> = self.order.iter().take(SHOWN).map(item).collect();
        let more = self.order.len().saturating_sub(SHOWN);
        let rest = if more > 0 { format!("{between}and {more} more") } else { String::new() };
        format!("{}{rest}", shown.join(between))
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { order: Vec::new(), all: HashSet::new() }
    }
}

impl<T: Clone + Eq + Hash> From<Vec<T>> for Listed<T> {
    fn from(mut order: Vec<T>) -> Self {
        let mut all = HashSet::new();
        order.retain(|item| all.insert(item.clone()));
        if order.len() <= SHORT {
            all = HashSet::new();
        }
        Self { order, all }
    }
}

impl<'de, T: Clone + Eq + Hash + Deserialize<'de>> Deserialize<'de> for Listed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_each_value_once_in_order() {
        for many in [3, 1000] {
            let doubled: Vec<i64> = (0..many).rev().chain(0..many).collect();
            let listed = Listed::from(doubled);
            assert_eq!(listed.iter().copied().collect::<Vec<_>>(), (0..many).rev().collect::<Vec<_>>());
            assert!(listed.contains(&0) && listed.contains(&(many - 1)) && !listed.contains(&many));
        }
        let long = Listed::from((0..60).collect::<Vec<i64>>());
        assert!(long.show(ToString::to_string, ", ").ends_with("48, 49, and 10 more"));
    }
}
