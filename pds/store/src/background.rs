//! Work that keeps a core busy for long, on threads with a lower priority than those that answer requests
//! ([ADR 24](../../../docs/adr/0024-long-work-gives-way.md)).

use std::{panic::AssertUnwindSafe, thread};

use tokio::sync::oneshot;

/// The nice value of such a thread; the default is 0. When a thread of each value needs the same core, this one gets a tenth of the time of the
/// other.
const NICE: i32 = 10;

/// Runs `work` on a new thread of low priority. For work of at least a millisecond: an unprivileged process cannot raise the priority of a thread
/// again, so the thread is not reused.
///
/// Cancellation: the work runs to its end.
///
/// # Panics
/// When the work panics.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = oneshot::channel();
    let body = move || {
        // If the system refuses the priority, the work runs with the ordinary one.
        let _ = rustix::process::setpriority_process(None, NICE);
        // Fails if the caller was cancelled.
        let _ = done.send(std::panic::catch_unwind(AssertUnwindSafe(work)));
    };
    let spawned = thread::Builder::new().name("background".to_owned()).spawn(body);
    spawned.expect("the system has room for another thread, as for those of the runtime");
    match result.await.expect("the thread answers, also when the work panics") {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_work_has_a_low_priority_and_the_caller_keeps_its_own() {
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        assert_eq!(run(own).await, NICE.max(before));
        assert_eq!(own(), before);
    }

    #[tokio::test]
    async fn a_panic_reaches_the_caller() {
        let work = tokio::spawn(run(|| assert_eq!(1, 2)));
        assert!(work.await.unwrap_err().is_panic());
    }
}
