//! The memory budget of all uploads of a process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{BlobKey, Error, Result};

/// Maximum time to wait for memory. Uploads that each hold half a part can wait for each other; the timeout ends one of them.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A budget of bytes. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Semaphore>);

/// Bytes taken from the budget. They are returned on drop.
#[derive(Debug)]
pub(super) struct Reserved(Option<OwnedSemaphorePermit>);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Waits until that many bytes are free and adds them to `held`.
    ///
    /// # Errors
    /// [`Error::Busy`] after [`TIMEOUT`].
    pub(super) async fn reserve(&self, bytes: usize, held: &mut Reserved, key: &BlobKey) -> Result<()> {
        let busy = || Error::Busy { key: key.clone() };
        let count = u32::try_from(bytes).map_err(|_| busy())?;
        let permit = tokio::time::timeout(TIMEOUT, self.0.clone().acquire_many_owned(count)).await;
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
    async fn dropped_bytes_are_free_again() {
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
