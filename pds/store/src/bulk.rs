//! Turns of reads of many rows. They share about half of the connections to Postgres, so that they never hold all of them.
//!
//! On SQLite such reads have connections of their own.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// The turns. Cheap to clone; all clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Bulk {
    turns: Arc<Semaphore>,
    /// How long a turn is waited for.
    patience: Duration,
}

/// Held while reading.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Bulk {
    /// With about half of `max_connections`. A turn is waited for as long as a connection is.
    pub(crate) fn new(max_connections: u32, patience: Duration) -> Self {
        // More than exports use, and at least one less than there are.
        let turns = (max_connections / 2 + 1).min(max_connections.saturating_sub(1));
        let turns = usize::try_from(turns).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS);
        Self { turns: Arc::new(Semaphore::new(turns)), patience }
    }

    /// A turn, as soon as there is one.
    pub(crate) async fn turn(&self) -> sqlx::Result<Turn> {
        let permit = timeout(self.patience, self.turns.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        Ok(Turn { _permit: permit })
    }
}
