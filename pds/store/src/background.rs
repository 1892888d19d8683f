//! Work that keeps a core busy for long, on threads with a lower priority than those that answer requests
//! ([ADR 24](../../../docs/adr/0024-long-work-gives-way.md)).

use std::{
    cell::Cell,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use thread_priority::{
    NormalThreadSchedulePolicy::Idle, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tokio::{runtime::Handle, sync::oneshot};

/// `SCHED_IDLE`: every other thread takes the core from such a thread at once, as soon as it has something to do. Source: sched(7).
const POLICY: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(Idle);

/// The nice value of threads whose work must go on while requests keep all cores busy. They get a tenth of the time of an ordinary thread then.
const NICE: i32 = 10;

/// How long work that a client waits for may wait for a core that is idle.
pub const PATIENCE: Duration = Duration::from_millis(150);

/// Threads of this process that were overtaken and have not ended.
static OVERTAKEN: AtomicUsize = AtomicUsize::new(0);

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
    // If the system refuses the policy, the work runs with the ordinary one.
    let yields = || {
        let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, POLICY);
    };
    on_new_thread(yields, work).await
}

/// As [`run`], for work of milliseconds that a client waits for. If it has not ended after [`PATIENCE`], because requests keep all cores busy, the work
/// is done a second time, on a thread that only has a nice value, and whichever ends first counts. While a thread that was overtaken waits for a core,
/// further work begins with the nice value at once.
///
/// # Panics
/// When the work panics.
pub async fn run_soon<T: Send + 'static>(work: impl FnOnce() -> T + Clone + Send + 'static) -> T {
    if OVERTAKEN.load(Ordering::Relaxed) > 0 {
        return run_nice(work).await;
    }
    let mut first = Box::pin(run(work.clone()));
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut first).await {
        return done;
    }
    let overtaken = Overtaken::new();
    let first = async move {
        let _overtaken = overtaken;
        first.await
    };
    let done = tokio::select! {
        done = tokio::spawn(first) => done,
        done = run_nice(work) => Ok(done),
    };
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

async fn run_nice<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let yields = || {
        let _ = rustix::process::setpriority_process(None, NICE);
    };
    on_new_thread(yields, work).await
}

/// A thread of the lowest priority that a second one may overtake, until its work has ended.
struct Overtaken;

impl Overtaken {
    fn new() -> Self {
        OVERTAKEN.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Overtaken {
    fn drop(&mut self) {
        OVERTAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn on_new_thread<T: Send + 'static>(begin: fn(), work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = oneshot::channel();
    // What the work returns is dropped on its thread if the caller is gone, and connections of a database need a runtime to be given back.
    let runtime = tokio::runtime::Handle::current();
    let body = move || {
        let _entered = runtime.enter();
        begin();
        // A new thread begins before the one that made it goes on, and a lower priority counts from the next tick of the scheduler: milliseconds.
        thread::yield_now();
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

    /// The first thread does not end until the test says so, as on a machine whose cores are all busy.
    #[tokio::test]
    async fn work_that_a_client_waits_for_is_begun_again_when_no_core_is_idle() {
        let policy = || thread_priority::thread_schedule_policy().unwrap();
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = (policy(), nice());
        assert_eq!(run_soon(policy).await, POLICY);

        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
        let work = move || {
            if policy() == POLICY {
                let _ = wait.lock().unwrap().recv();
            }
            (policy(), nice())
        };
        let overtaking = (before.0, NICE.max(before.1));
        assert_eq!(run_soon(work.clone()).await, overtaking);
        assert_eq!(OVERTAKEN.load(Ordering::Relaxed), 1);
        assert_eq!(run_soon(work).await, overtaking, "at once");
        drop(go_on);
        while OVERTAKEN.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(run_soon(policy).await, POLICY);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_dropped_within_the_runtime() {
        #[derive(Debug)]
        struct Spawns(tokio::sync::mpsc::UnboundedSender<bool>);
        impl Drop for Spawns {
            fn drop(&mut self) {
                let _ = self.0.send(tokio::runtime::Handle::try_current().is_ok());
            }
        }
        let (sender, mut dropped) = tokio::sync::mpsc::unbounded_channel();
        let (begun, seen) = oneshot::channel();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let caller = tokio::spawn(run(move || {
            let _ = begun.send(());
            let _ = wait.recv();
            Spawns(sender)
        }));
        seen.await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        drop(go_on);
        assert_eq!(dropped.recv().await, Some(true));
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
