//! Which transaction may hold the lock that commits of records wait for ([ADR 48](../../../docs/adr/0048-crowds-stand-in-line.md)).

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// The line of transactions of this process other than the committer's, which does not stand in it: whatever many clients ask for at once, commits of
/// records wait for one of them at most.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    turn: Arc<Semaphore>,
    /// How long the turn is waited for.
    patience: Duration,
}

impl Line {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), patience }
    }

    /// The turn, `None` after waiting for as long as for a connection.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        timeout(self.patience, self.turn.clone().acquire_owned()).await.ok()?.ok()
    }
}
