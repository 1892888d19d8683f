//! The memory that all uploads of a process share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{BlobKey, Error, Result};

/// Uploads that hold half a part each may wait for one another; the time-out lets one of them go.
const PATIENCE: Duration = Duration::from_secs(10);

/// A number of bytes to hand out. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Semaphore>);

/// Bytes that are in use until this is dropped.
#[derive(Debug)]
pub(super) struct Reserved(Option<OwnedSemaphorePermit>);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Waits until that many bytes are free and adds them to `held`.
    pub(super) async fn reserve(&self, bytes: usize, held: &mut Reserved, key: &BlobKey) -> Result<()> {
        let busy = || Error::Busy { key: key.clone() };
        let count = u32::try_from(bytes).map_err(|_| busy())?;
        let permit = tokio::time::timeout(PATIENCE, self.0.clone().acquire_many_owned(count)).await;
        let permit = permit.map_err(|_| busy())?.map_err(|_| busy())?;
        match &mut held.0 {
            Some(all) => all.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }
}

impl Reserved {
    pub(super) fn none() -> Self {
        Self(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_dropped_is_free_again() {
        let budget = Budget::new(10);
        let key = BlobKey::random();
        let mut held = Reserved::none();
        budget.reserve(4, &mut held, &key).await.unwrap();
        budget.reserve(6, &mut held, &key).await.unwrap();
        assert_eq!(budget.0.available_permits(), 0);
        drop(held);
        assert_eq!(budget.0.available_permits(), 10);
    }
}
