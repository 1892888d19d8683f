//! Rate limits.
//!
//! Each subject has a budget of points for each limit. A request names all budgets that it needs, and takes its points from all of them or
//! from none. Budgets are kept in this process, or in a Redis server that the replicas share. While Redis cannot be reached, they are kept in
//! this process. Knows nothing of HTTP or accounts: a subject is a text.

mod algorithm;
mod bounded;
mod limit;
mod limiter;
mod local;
mod shared;

pub use limit::{Algorithm, Charge, Limit, Standing};
pub use limiter::Limiter;
pub use shared::{Error, Probe, ProbeError, Redis};
