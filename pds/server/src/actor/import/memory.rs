//! Memory for the trees and the lists of blocks of all imports together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit stands for.
const UNIT: usize = 64 << 10;

/// The memory that imports share. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::actor) struct Memory {
    free: Arc<Semaphore>,
    units: usize,
}

/// The reason for which an import gets no more memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortage {
    /// Other imports have it.
    InUse,
    /// There is less at all.
    TooLittle {
        /// The memory of all imports together, in bytes.
        limit: u64,
    },
}

/// What one import has taken, until this is dropped.
#[derive(Debug)]
pub(super) struct Part {
    of: Memory,
    held: Option<OwnedSemaphorePermit>,
}

impl Memory {
    pub(in crate::actor) fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes).unwrap_or(usize::MAX) / UNIT;
        let units = units.clamp(1, Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(units)), units }
    }

    /// A part of no bytes.
    pub(super) fn part(&self) -> Part {
        Part { of: self.clone(), held: None }
    }
}

impl Part {
    /// Takes memory until the import has `bytes`. Never gives any back.
    ///
    /// # Errors
    /// [`Shortage`] if the bytes are not free: the import keeps what it has.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Shortage> {
        let (wanted, held) = (bytes.div_ceil(UNIT), self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if wanted <= held {
            return Ok(());
        }
        if wanted > self.of.units {
            return Err(Shortage::TooLittle { limit: (self.of.units * UNIT) as u64 });
        }
        let more = u32::try_from(wanted - held).map_err(|_| Shortage::InUse)?;
        let more = self.of.free.clone().try_acquire_many_owned(more).map_err(|_| Shortage::InUse)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_share_the_memory_and_give_it_back_at_their_end() {
        let memory = Memory::new(10 * UNIT as u64);
        let (mut one, mut other) = (memory.part(), memory.part());
        one.grow_to(1).unwrap();
        one.grow_to(6 * UNIT).unwrap();
        one.grow_to(5 * UNIT).unwrap();
        other.grow_to(4 * UNIT).unwrap();
        assert_eq!(other.grow_to(5 * UNIT), Err(Shortage::InUse));
        assert_eq!(one.grow_to(10 * UNIT + 1), Err(Shortage::TooLittle { limit: 10 * UNIT as u64 }));
        drop(one);
        other.grow_to(10 * UNIT).unwrap();
    }
}
