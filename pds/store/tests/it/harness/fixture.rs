//! Accounts, records and frames with little in them.

use bytes::Bytes;
use pds_repo::{Cid, Head, event::Frame};
use pds_store::{
    AccountId, Db,
    account::{self, NewAccount, Status},
    commit::{CommitError, Committed, NewCommit, Put, RecordWrite, commit_batch},
    event,
    record::{self, Page, Record},
    repo,
};
use pds_syntax::{AtIdentifier, Did, Handle, RecordKey, Tid};

/// The tests' first moment: 2025-01-01, in microseconds.
pub(crate) const T0: i64 = 1_735_689_600_000_000;

/// An active account and what a replica would remember of its repository.
#[derive(Clone, Debug)]
pub(crate) struct Alice {
    pub(crate) id: AccountId,
    pub(crate) did: Did,
    pub(crate) handle: Handle,
    pub(crate) rev: Tid,
}

impl Alice {
    /// A page of a collection, as everybody may read it.
    pub(crate) async fn list(&self, db: &Db, collection: &str, page: Page<'_>) -> Vec<Record> {
        let repo = AtIdentifier::Did(self.did.clone());
        let of = record::list(db, &repo, &collection.parse().unwrap(), page, T0).await.unwrap().unwrap();
        assert_eq!((of.did, of.status), (self.did.clone(), Status::Active));
        of.found
    }

    /// Creates an account as the server does: reserve, then activate with a repository and events.
    pub(crate) async fn create(db: &Db, name: &str) -> Self {
        let (did, handle) = (did(name), handle(name));
        let new = NewAccount {
            did: did.clone(),
            handle: handle.clone(),
            email: Some(format!("{name}@Example.com")),
            password_hash: Some("$argon2id$hash".to_owned()),
            signing_key: b"sealed".to_vec(),
            created_at: T0,
        };
        let mut tx = db.begin().await.unwrap();
        let id = account::reserve(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();

        let rev = tid(1);
        let head = Head { rev, commit: cid("commit 1"), data: cid("data 1") };
        let mut tx = db.begin().await.unwrap();
        account::activate(&mut tx, id, T0 + 1).await.unwrap();
        repo::create(&mut tx, id, &head, b"commit 1").await.unwrap();
        event::append(&mut tx, &[frame(&format!("{name} 1"))], T0).await.unwrap();
        tx.commit().await.unwrap();
        Self { id, did, handle, rev }
    }

    /// A commit on the remembered head.
    pub(crate) fn prepare(&self, writes: Vec<RecordWrite>) -> NewCommit {
        let rev = Tid::from_micros(self.rev.micros() + 1, 0);
        NewCommit {
            account_id: self.id,
            expect_rev: self.rev,
            rev,
            commit: cid(&format!("commit {rev}")),
            data: cid(&format!("data {rev}")),
            commit_bytes: Bytes::from(format!("commit {rev}")),
            writes,
            frame: frame(&format!("{} {rev}", self.did)),
            quota: None,
        }
    }

    /// Commits writes and remembers the new head.
    pub(crate) async fn write(&mut self, db: &Db, writes: Vec<RecordWrite>) -> Result<Committed, CommitError> {
        let prepared = self.prepare(writes);
        let rev = prepared.rev;
        let committed = commit_batch(db, &[prepared], T0).await?;
        self.rev = rev;
        Ok(committed)
    }
}

/// A DID for a name.
pub(crate) fn did(name: &str) -> Did {
    format!("did:plc:{name}").parse().unwrap()
}

/// A handle for a name.
pub(crate) fn handle(name: &str) -> Handle {
    format!("{name}.pds.test").parse().unwrap()
}

/// A record key.
pub(crate) fn rkey(text: &str) -> RecordKey {
    text.parse().unwrap()
}

/// The n-th revision.
pub(crate) fn tid(n: u64) -> Tid {
    Tid::from_micros(T0.unsigned_abs() + n, 0)
}

/// A dag-cbor CID of some text.
pub(crate) fn cid(text: &str) -> Cid {
    Cid::dag_cbor(text.as_bytes())
}

/// A record at a path, with the text as its body.
pub(crate) fn put(path: &str, body: &str) -> Put {
    Put {
        path: path.parse().unwrap(),
        cid: cid(body),
        body: Bytes::copy_from_slice(body.as_bytes()),
        subject_hash: None,
        blobs: Vec::new(),
    }
}

/// A frame that can be told from others.
pub(crate) fn frame(label: &str) -> Frame {
    Frame { prefix: Bytes::copy_from_slice(label.as_bytes()), suffix: Bytes::from_static(b"end") }
}

/// What a frame of [`frame`] was made with.
pub(crate) fn label(frame: &Frame) -> String {
    String::from_utf8(frame.prefix.to_vec()).unwrap()
}
