//! Commits: the one way in which repositories change.
//!
//! A batch of signed commits is one transaction. Each repository's head is compared with the one that its commit was built on, and swapped;
//! if any has moved, the whole batch is undone and the repositories that moved are named. The same row says whether the repository is
//! closed: nothing is committed after a takedown, a suspension or a deactivation. A lock or a lease on an account is never needed for correctness, only
//! for speed.

mod batch;
mod error;
mod events;
mod import;
mod moved;
mod net;
mod new_commit;

pub use batch::{Committed, commit_batch};
pub use error::{BlobRefusal, CommitError, OverQuota, RefusedBlob};
pub(crate) use events::Events;
pub use import::{Staging, Swap, expired, undo_expired};
pub(crate) use net::{Net, NetChange, PathChange};
pub use new_commit::{NewCommit, Put, RecordWrite};
