//! What the two databases do differently: connecting, and the commit pipeline's statements.

pub(crate) mod postgres;
pub(crate) mod sqlite;
