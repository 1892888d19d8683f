//! Work that keeps a core busy for long, on threads with a lower priority than those that answer requests
//! ([ADR 24](../../../docs/adr/0024-long-work-gives-way.md)).

use std::{cell::Cell, panic::AssertUnwindSafe, thread};

use thread_priority::{
    NormalThreadSchedulePolicy::Idle, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tokio::{runtime::Handle, sync::oneshot};

/// `SCHED_IDLE`: every other thread takes the core from such a thread at once, as soon as it has something to do. Source: sched(7).
const POLICY: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(Idle);

thread_local! {
    static IS_BACKGROUND: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is a thread of [`run`] or [`drive`]: it may block, because it has nothing else to do.
pub(crate) fn is_current() -> bool {
    IS_BACKGROUND.get()
}

/// Polls `work` on a new thread of low priority until it ends. For long work that waits for the database in between: what it computes between two
/// waits, rows that it decodes for example, has the low priority too.
///
/// Cancellation: the work runs to its end.
///
/// # Panics
/// When the work panics.
pub async fn drive<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = Handle::current();
    run(move || runtime.block_on(work)).await
}

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
        // If the system refuses the policy, the work runs with the ordinary one.
        let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, POLICY);
        IS_BACKGROUND.set(true);
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
        let own = || thread_priority::thread_schedule_policy().unwrap();
        let before = own();
        assert_eq!(run(own).await, POLICY);
        assert_eq!(own(), before);
    }

    #[tokio::test]
    async fn a_future_is_polled_there_to_its_end() {
        let work = async {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            (is_current(), thread_priority::thread_schedule_policy().unwrap())
        };
        assert_eq!(drive(work).await, (true, POLICY));
        assert!(!is_current());
    }

    #[tokio::test]
    async fn a_panic_reaches_the_caller() {
        let work = tokio::spawn(run(|| assert_eq!(1, 2)));
        assert!(work.await.unwrap_err().is_panic());
    }
}
