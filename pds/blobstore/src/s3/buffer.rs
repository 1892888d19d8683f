//! Reusable memory for parts.
//!
//! Memory of megabytes that one thread allocates and another frees makes the allocator keep several times the memory in use.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::budget::Reserved;

/// Size of a part in bytes: the minimum of S3. Objects up to this size are sent in one request. Two parts and the memory around them stay
/// below 16 MB.
pub const PART_BYTES: usize = 5 << 20;

/// Maximum size of an object that does not take the memory of a whole part. The allocator keeps about twice as much of each upload that outgrows it.
const SMALL_BYTES: usize = 64 << 10;
/// Number of unused parts whose memory is kept: those of one upload.
const MAX_KEPT: usize = 2;

/// The memory of unused parts. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

/// A part that is being filled. Its reservation and its turn last until the client library drops the memory.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    pool: Pool,
    /// Limits the upload to two parts in memory: one that is being filled and one that is being sent.
    turns: Arc<Semaphore>,
    turn: Option<OwnedSemaphorePermit>,
    pub(super) reserved: Reserved,
}

impl Pool {
    /// The first buffer of a new upload.
    pub(super) fn buffer(&self) -> Buffer {
        self.next_buffer(Arc::new(Semaphore::new(2)))
    }

    fn next_buffer(&self, turns: Arc<Semaphore>) -> Buffer {
        Buffer { bytes: Vec::new(), pool: self.clone(), turns, turn: None, reserved: Reserved::none() }
    }

    fn take(&self) -> Vec<u8> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Vec::with_capacity(PART_BYTES))
    }

    fn give_back(&self, mut bytes: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.capacity() == PART_BYTES && kept.len() < MAX_KEPT {
            bytes.clear();
            kept.push(bytes);
        }
    }
}

impl Buffer {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends bytes. The buffer must not grow beyond the size of a part.
    pub(super) async fn extend(&mut self, piece: &[u8]) {
        if self.turn.is_none() && self.bytes.len() + piece.len() > SMALL_BYTES {
            // The semaphore is never closed, so this cannot fail.
            self.turn = self.turns.clone().acquire_owned().await.ok();
            let small = mem::replace(&mut self.bytes, self.pool.take());
            self.bytes.extend_from_slice(&small);
        }
        self.bytes.extend_from_slice(piece);
    }

    /// Takes the bytes out of the buffer, which is empty afterwards. Their memory returns to the pool when they are dropped.
    pub(super) fn freeze(&mut self) -> Bytes {
        let next = self.pool.next_buffer(self.turns.clone());
        Bytes::from_owner(mem::replace(self, next))
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give_back(mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fill(buffer: &mut Buffer) {
        buffer.extend(&[1; 10]).await;
        buffer.extend(&[2; SMALL_BYTES]).await;
        assert_eq!((buffer.len(), buffer.as_ref()[9], buffer.as_ref()[10]), (SMALL_BYTES + 10, 1, 2));
    }

    #[tokio::test]
    async fn memory_of_parts_is_used_again_and_little_of_it_kept() {
        let pool = Pool::default();
        let mut buffer = pool.buffer();
        fill(&mut buffer).await;
        let sent = buffer.freeze();
        assert_eq!((sent.len(), buffer.len()), (SMALL_BYTES + 10, 0));
        let place = sent.as_ptr();
        drop(sent);
        fill(&mut buffer).await;
        assert_eq!(buffer.as_ref().as_ptr(), place);

        let mut many: Vec<Buffer> = (0..4).map(|_| pool.buffer()).collect();
        for buffer in &mut many {
            fill(buffer).await;
        }
        drop((many, buffer));
        assert_eq!(pool.0.lock().unwrap_or_else(PoisonError::into_inner).len(), MAX_KEPT);

        // Small objects take no part of it.
        let mut small = pool.buffer();
        small.extend(&[3; 1000]).await;
        assert!(small.bytes.capacity() < PART_BYTES);
    }

    #[tokio::test]
    async fn an_upload_has_two_parts_at_once() {
        let mut buffer = Pool::default().buffer();
        fill(&mut buffer).await;
        let first = buffer.freeze();
        fill(&mut buffer).await;
        let second = buffer.freeze();
        let mut third = Box::pin(fill(&mut buffer));
        assert!(futures::poll!(&mut third).is_pending());
        drop(first);
        third.await;
        drop(second);
    }
}
