//! Events in order, to all followers: one task reads them from the database and keeps the newest in a ring (`follow`, `ring`), and wakes the followers
//! group after group (`groups`); those that are further behind read for themselves (`backfill`).
//!
//! The order and the numbers come from the database alone, so every replica sends the same. A wake-up is only a hint to look. A replica
//! without followers does not read, so that replicas do not read for nothing what the others write.

mod backfill;
mod follow;
mod groups;
mod message;
mod place;
mod ring;
mod run;
mod shared;
mod subscription;
mod window;

pub use message::message;
pub use place::Place;
pub use shared::Sequencer;
pub use subscription::{Next, Start, StartError, Subscription};
