//! Memory for password hashes, kept between two hashes that follow each other.
//!
//! To get 19 MiB from the system and to give them back takes milliseconds, during which no other thread of the process can get memory. A thread of
//! low priority would make them wait for as long as it waits for a core.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use argon2::Block;

/// How long memory is kept after its last use.
const KEPT: Duration = Duration::from_secs(10);

/// Memory that no hash uses at the moment. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Idle>>);

#[derive(Default)]
struct Idle {
    buffers: Vec<Vec<Block>>,
    /// Counts the uses: what it was when memory was given back says whether there was another use since.
    uses: u64,
}

impl Memory {
    /// Memory of an earlier hash, or none.
    pub(super) fn take(&self) -> Vec<Block> {
        let mut idle = self.idle();
        idle.uses += 1;
        idle.buffers.pop().unwrap_or_default()
    }

    pub(super) fn give_back(&self, buffer: Vec<Block>) {
        self.idle().buffers.push(buffer);
    }

    /// Frees the memory unless a hash begins within [`KEPT`].
    pub(super) async fn free_when_unused(self) {
        let uses = self.idle().uses;
        tokio::time::sleep(KEPT).await;
        let mut idle = self.idle();
        if idle.uses == uses {
            idle.buffers = Vec::new();
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn memory_is_used_again_and_freed_when_nobody_uses_it() {
        let memory = Memory::default();
        let mut buffer = memory.take();
        buffer.resize(3, Block::default());
        memory.give_back(buffer);
        let first = tokio::spawn(memory.clone().free_when_unused());
        tokio::task::yield_now().await;

        let buffer = memory.take();
        assert_eq!(buffer.len(), 3);
        memory.give_back(buffer);
        first.await.unwrap();
        assert_eq!(memory.idle().buffers.len(), 1, "it was used after the first hash");

        memory.clone().free_when_unused().await;
        assert_eq!(memory.idle().buffers.len(), 0);
    }
}
