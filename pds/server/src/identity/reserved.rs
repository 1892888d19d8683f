//! Labels that nobody may take below a host's own domains: they would pass for the host itself, for a part of the network, or for somebody known.

use std::{collections::HashSet, sync::LazyLock};

/// One word a line; lines that begin with `#` are comments.
static LABELS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| words().collect());

fn words() -> impl Iterator<Item = &'static str> {
    include_str!("reserved.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

/// Whether nobody may have this label, which is in lower case.
pub(super) fn contains(label: &str) -> bool {
    LABELS.contains(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_label_that_somebody_could_ask_for() {
        let (mut count, mut seen) = (0, HashSet::new());
        for word in words() {
            count += 1;
            assert!(seen.insert(word), "{word} stands twice");
            assert!((3..=18).contains(&word.len()), "{word} could not be a label anyhow");
            let legal = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            assert!(legal && !word.starts_with('-') && !word.ends_with('-'), "{word}");
        }
        assert!(count > 900, "{count}");
        assert!(contains("admin") && contains("well-known") && !contains("alice"));
    }
}
