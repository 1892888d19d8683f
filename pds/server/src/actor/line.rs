//! The line of commits of one repository: from the last commit that is known to be stored to the last one that was built.
//!
//! A commit is built on the one before it without waiting until that is stored; the two may go into one transaction. If one fails, the
//! commits behind it expect a head that was never stored, so the database refuses them too, and a new line begins
//! ([ADR 5](../../../../docs/adr/0005-commits-in-line.md)).

use std::collections::HashSet;

use pds_repo::{Head, mst::Tree};

use super::Actor;

/// The commits of one repository that this replica builds.
#[derive(Default)]
pub(super) struct Line {
    /// Changes whenever a line begins or ends. The answer to a commit of an earlier line says nothing about this one.
    number: u64,
    state: State,
    /// Subject hashes of the records in waiting commits. The database does not have these records yet.
    waiting_subjects: HashSet<i64>,
}

/// What the next commit can be built on.
#[derive(Default)]
enum State {
    /// Nothing: the repository has to be loaded.
    #[default]
    Unknown,
    /// The last commit, which is stored.
    Settled(Actor),
    /// The last commit that was built, while it or others wait for the answer of the committer.
    Waiting {
        built: Actor,
        /// The newest that is known to be stored.
        stored: Actor,
        /// Commits without an answer.
        count: usize,
    },
}

impl Line {
    /// What the next commit is built on, and the line's number. `None` if the repository has to be loaded.
    pub(super) fn end(&self) -> Option<(Actor, u64)> {
        match &self.state {
            State::Unknown => None,
            State::Settled(last) | State::Waiting { built: last, .. } => Some((last.clone(), self.number)),
        }
    }

    /// Begins a line with what was loaded from the database. Its number.
    pub(super) fn begin(&mut self, loaded: Actor) -> u64 {
        self.set(State::Settled(loaded));
        self.number
    }

    /// Adds a commit that was built on the end and passed to the committer. `subjects` are those of its records.
    pub(super) fn append(&mut self, number: u64, built: Actor, subjects: impl Iterator<Item = i64>) {
        if number != self.number {
            return;
        }
        self.waiting_subjects.extend(subjects);
        self.state = match std::mem::take(&mut self.state) {
            State::Unknown => State::Unknown,
            State::Settled(stored) => State::Waiting { built, stored, count: 1 },
            State::Waiting { stored, count, .. } => State::Waiting { built, stored, count: count + 1 },
        };
    }

    /// A commit was stored. Answers do not come in the order of the commits.
    pub(super) fn confirm(&mut self, number: u64, commit: Actor) {
        if number != self.number {
            return;
        }
        self.state = match std::mem::take(&mut self.state) {
            State::Waiting { built, count: 1, .. } => {
                self.waiting_subjects.clear();
                State::Settled(built)
            }
            State::Waiting { built, stored, count } => {
                let stored = if stored.repo.head.rev < commit.repo.head.rev { commit } else { stored };
                State::Waiting { built, stored, count: count - 1 }
            }
            other => other,
        };
    }

    /// Ends the line because one of its commits was not stored, or because its outcome is unknown: the next writer loads the repository.
    pub(super) fn end_after_failure(&mut self, number: u64) {
        if number == self.number {
            self.set(State::Unknown);
        }
    }

    /// Ends the line because the repository was replaced by another one.
    pub(super) fn forget(&mut self) {
        self.set(State::Unknown);
    }

    /// Whether no commit waits for an answer.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(self.state, State::Waiting { .. })
    }

    /// Whether a record about a subject with this hash is in a waiting commit.
    pub(super) fn awaits_subject(&self, subject_hash: i64) -> bool {
        self.waiting_subjects.contains(&subject_hash)
    }

    /// The tree at `head`, if the line has it.
    pub(super) fn tree_at(&self, head: &Head) -> Option<Tree> {
        let actors = match &self.state {
            State::Unknown => [None, None],
            State::Settled(last) => [Some(last), None],
            State::Waiting { built, stored, .. } => [Some(stored), Some(built)],
        };
        let found = actors.into_iter().flatten().find(|actor| actor.repo.head == *head);
        found.map(|actor| actor.repo.tree.clone())
    }

    fn set(&mut self, state: State) {
        self.number += 1;
        self.state = state;
        self.waiting_subjects.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pds_crypto::SigningKey;
    use pds_repo::Repo;
    use pds_syntax::Tid;

    use super::*;

    /// The repository at the n-th of three commits.
    fn actor(n: usize) -> Actor {
        let rev: Tid = ["3jzfcijpj2z2a", "3jzfcijpj2z2b", "3jzfcijpj2z2c"][n].parse().unwrap();
        let key = SigningKey::generate();
        let (repo, _) = Repo::create("did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap(), rev, &[], &key).unwrap();
        Actor { repo, key: Arc::new(key) }
    }

    #[test]
    fn answers_may_come_in_any_order() {
        let (first, second, third) = (actor(0), actor(1), actor(2));
        let mut line = Line::default();
        assert!(line.end().is_none() && line.is_settled());
        let number = line.begin(first.clone());
        line.append(number, second.clone(), [7].into_iter());
        line.append(number, third.clone(), [].into_iter());
        assert!(!line.is_settled() && line.awaits_subject(7) && !line.awaits_subject(8));
        line.confirm(number, third.clone());
        assert!(line.tree_at(&third.repo.head).is_some() && line.tree_at(&first.repo.head).is_none());
        assert!(!line.is_settled());
        line.confirm(number, second);
        assert!(line.is_settled() && !line.awaits_subject(7));
        assert_eq!(line.end().unwrap().0.repo.head, third.repo.head);
    }

    #[test]
    fn an_answer_to_a_commit_of_an_earlier_line_changes_nothing() {
        let (first, second) = (actor(0), actor(1));
        let mut line = Line::default();
        let number = line.begin(first.clone());
        line.append(number, second.clone(), [7].into_iter());
        line.end_after_failure(number);
        assert!(line.end().is_none() && line.is_settled() && !line.awaits_subject(7));
        let next = line.begin(first.clone());
        line.confirm(number, second.clone());
        line.end_after_failure(number);
        line.append(number, second, [].into_iter());
        let (end, number) = line.end().unwrap();
        assert_eq!((end.repo.head, number), (first.repo.head, next));
    }
}
