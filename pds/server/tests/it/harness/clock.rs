//! The machine's clock, put forward.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use pds_server::clock::{Clock, SystemClock};

#[derive(Default)]
pub(crate) struct TestClock {
    ahead_us: AtomicI64,
}

impl TestClock {
    /// Lets that much time go by at once.
    pub(crate) fn forward(&self, by: Duration) {
        self.ahead_us.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now_us(&self) -> i64 {
        SystemClock.now_us() + self.ahead_us.load(Ordering::Relaxed)
    }
}
