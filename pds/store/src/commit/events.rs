//! The events of a batch.

use crate::event;

/// The events of a batch, still without numbers.
pub(crate) struct Events {
    pub(crate) n: i32,
    pub(crate) at: i64,
    pub(crate) rows: Vec<event::Row>,
}
