//! Writing to a repository: conditions are checked against the tree (`plan`), the commit is built (`build`) and stored (`apply`).

mod apply;
mod build;
mod change;
mod error;
mod plan;

pub use apply::Outcome;
pub use change::Change;
pub(super) use error::MAX_BLOBS;
pub use error::{Error, MAX_REFERENCES};
