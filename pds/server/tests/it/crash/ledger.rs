//! What was asked of the server and what it promised, to be compared with what the stream tells.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use pds_repo::Cid;

use crate::harness::Event;

/// One record as a request changes it. No two records have the same content, so that content tells what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Change {
    /// `None` until the server has chosen the record key.
    pub(super) path: Option<String>,
    pub(super) cid: Option<Cid>,
    /// Of a deletion: what was there.
    pub(super) prev: Option<Cid>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// It was cut off, or the server does not know either: there may be a commit.
    Unknown,
    Acknowledged(Promise),
}

/// What an answer says of a commit, or an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) rev: String,
    pub(super) commit: Cid,
    /// Of the first record.
    pub(super) path: String,
}

#[derive(Debug)]
struct Attempt {
    did: String,
    changes: Vec<Change>,
    fate: Fate,
    /// What its event says.
    told: Option<Promise>,
}

/// All requests, from all writers.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Book>);

#[derive(Default)]
struct Book {
    attempts: Vec<Attempt>,
    /// By any change's content: that of the record, or of the one that is deleted.
    by_content: HashMap<(Cid, bool), usize>,
    /// The highest revision that was acknowledged.
    revs: HashMap<String, String>,
    acknowledged: usize,
}

/// A request on its way.
pub(super) struct Sent {
    attempt: usize,
    /// What was acknowledged of the repository before.
    after: Option<String>,
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called before the request is sent.
    pub(super) fn send(&self, did: &str, changes: Vec<Change>) -> Sent {
        let book = &mut *self.book();
        let attempt = book.attempts.len();
        book.by_content.extend(changes.iter().map(|change| (content(change), attempt)));
        book.attempts.push(Attempt { did: did.to_owned(), changes, fate: Fate::Unknown, told: None });
        Sent { attempt, after: book.revs.get(did).cloned() }
    }

    /// The server said yes.
    pub(super) fn acknowledge(&self, sent: &Sent, promise: Promise) {
        let book = &mut *self.book();
        let attempt = &mut book.attempts[sent.attempt];
        // Whoever asks after an answer gets a higher revision than it named, over all replicas.
        let (after, rev) = (&sent.after, &promise.rev);
        assert!(after.as_ref().is_none_or(|after| after < rev), "{rev} is not above {after:?}");
        let newest = book.revs.entry(attempt.did.clone()).or_default();
        if *newest < *rev {
            newest.clone_from(rev);
        }
        attempt.fate = Fate::Acknowledged(promise);
        book.acknowledged += 1;
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.book().acknowledged
    }

    /// Finds the request behind a commit's event: there is one, it asked for just these changes, and no event told of it before.
    pub(super) fn tell(&self, event: &Event) {
        let commit = event.commit.as_ref().expect("a commit");
        let Some(first) = event.ops.first() else {
            assert_eq!(commit.since, None, "only a repository's first commit changes nothing: {}", event.seq);
            return;
        };
        let told: Vec<_> = event
            .ops
            .iter()
            .map(|op| Change {
                path: Some(op.path.to_string()),
                cid: op.cid,
                prev: op.prev.filter(|_| op.cid.is_none()),
            })
            .collect();
        let book = &mut *self.book();
        let found = book.by_content.get(&content(&told[0])).copied();
        let found = found.unwrap_or_else(|| panic!("event {} tells of {first:?}, which nobody asked for", event.seq));
        let attempt = &mut book.attempts[found];
        assert_eq!(attempt.told, None, "event {} tells of it again: {attempt:?}", event.seq);
        assert_eq!(attempt.did, commit.did, "event {}", event.seq);
        assert_eq!(attempt.changes.len(), told.len(), "event {} and {attempt:?}", event.seq);
        for (asked, told) in attempt.changes.iter().zip(&told) {
            let path = asked.path.is_none() || asked.path == told.path;
            assert!(path && (asked.cid, asked.prev) == (told.cid, told.prev), "{asked:?} was told as {told:?}");
        }
        let (rev, commit, path) = (commit.rev.clone(), commit.cid, first.path.to_string());
        attempt.told = Some(Promise { rev, commit, path });
    }

    /// Everything that was acknowledged has been told, as it was answered. With the stream read to an event behind all answers.
    pub(super) fn settle(&self) {
        for attempt in &self.book().attempts {
            if let Fate::Acknowledged(promise) = &attempt.fate {
                assert_eq!(attempt.told.as_ref(), Some(promise), "acknowledged, and then lost: {attempt:?}");
            }
        }
    }
}

fn content(change: &Change) -> (Cid, bool) {
    let cid = change.cid.or(change.prev).expect("a record, or what was there");
    (cid, change.cid.is_some())
}
