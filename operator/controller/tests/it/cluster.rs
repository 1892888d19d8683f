//! Who is in the cluster of the tests at the same time.
//!
//! Tests wait for Kubernetes most of the time, so that many run beside each other. Those that change what all of them use come when no other test is
//! left, one after the other: in between, everybody would wait for the slowest of the others each time.

use std::sync::{Arc, LazyLock};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore, watch};

/// Tests beside each other. With more of them two cores are busy all the time, and what a test waits for takes longer.
const MOST: usize = 10;

static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MOST)));
static DOOR: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);
/// Tests that are there or want to be, other than those that want to be alone.
static OTHERS: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// A test that is in the cluster.
pub(crate) enum Presence {
    Among { _place: OwnedSemaphorePermit, _door: OwnedRwLockReadGuard<()>, _counted: Counted },
    Alone { _door: OwnedRwLockWriteGuard<()> },
}

/// Counts a test as long as it lives.
pub(crate) struct Counted;

impl Counted {
    fn new() -> Self {
        OTHERS.send_modify(|count| *count += 1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        OTHERS.send_modify(|count| *count -= 1);
    }
}

impl Presence {
    pub(crate) async fn among() -> Self {
        let _counted = Counted::new();
        let _place = PLACES.clone().acquire_owned().await.unwrap();
        let _door = DOOR.clone().read_owned().await;
        Self::Among { _place, _door, _counted }
    }

    pub(crate) async fn alone() -> Self {
        OTHERS.subscribe().wait_for(|count| *count == 0).await.unwrap();
        Self::Alone { _door: DOOR.clone().write_owned().await }
    }
}
