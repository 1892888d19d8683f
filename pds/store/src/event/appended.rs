//! The events that this process has committed.

use tokio::sync::watch;

/// The number of the last event that this process has committed. All clones of a [`crate::Db`] share it.
#[derive(Clone, Debug)]
pub(crate) struct Appended {
    pub(super) upto: watch::Sender<i64>,
    /// The number by which listening processes are told apart.
    pub(super) listener: i32,
}

impl Default for Appended {
    fn default() -> Self {
        Self { upto: watch::Sender::default(), listener: rand::random_range(0..i32::MAX) }
    }
}

impl Appended {
    pub(crate) fn signal(&self, last_seq: i64) {
        self.upto.send_modify(|upto| *upto = last_seq.max(*upto));
    }
}
