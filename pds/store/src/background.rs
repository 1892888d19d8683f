//! Work that keeps a core busy for long, on threads that give way to those that answer requests.

use std::{panic::AssertUnwindSafe, thread};

use tokio::sync::oneshot;

/// The nice value of such a thread. The default is 0; a thread of 10 gets a tenth of what a thread of 0 gets when both want the same core, and
/// all of it when nobody else does.
const NICE: i32 = 10;

/// Runs `work` on a thread of its own with a low priority. Cancelled, the work goes on to its end. A panic goes to the caller.
///
/// For work of a millisecond and more: the priority of a thread cannot be raised again, so each piece of work starts one.
///
/// # Panics
/// When the work does.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = oneshot::channel();
    let body = move || {
        // Where the system does not let it, the work is done all the same.
        let _ = rustix::process::setpriority_process(None, NICE);
        // Whoever asked may have gone.
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
