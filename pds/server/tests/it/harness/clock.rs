//! The machine's clock, put forward or back.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use pds_server::clock::{Clock, SystemClock};

#[derive(Default)]
pub(crate) struct TestClock {
    ahead_us: AtomicI64,
    /// Where it stands still, unless 0.
    frozen_us: AtomicI64,
}

impl TestClock {
    /// Time goes by only when it is put forward.
    pub(crate) fn freeze(&self) {
        self.frozen_us.store(SystemClock.now_us(), Ordering::Relaxed);
    }

    /// Lets that much time go by at once.
    pub(crate) fn forward(&self, by: Duration) {
        self.ahead_us.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }

    /// Sets it back by so much.
    pub(crate) fn back(&self, by: Duration) {
        self.ahead_us.fetch_sub(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now_us(&self) -> i64 {
        let now = match self.frozen_us.load(Ordering::Relaxed) {
            0 => SystemClock.now_us(),
            frozen => frozen,
        };
        now + self.ahead_us.load(Ordering::Relaxed)
    }
}
