//! How often something may happen: limits, and the budgets that are drawn from them.
//!
//! A request names all budgets it draws from, and draws from all of them or from none. Budgets are kept in this process, or in a Redis
//! that replicas share; while that is gone, in this process again. Knows nothing of HTTP or accounts: a subject is a text.

mod bounded;
mod law;
mod limit;
mod limiter;
mod local;
mod shared;

pub use limit::{Charge, Law, Limit, Standing};
pub use limiter::Limiter;
pub use shared::{Error, Redis};
