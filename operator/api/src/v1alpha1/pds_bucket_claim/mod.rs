//! `PdsBucketClaim`: which namespace a bucket counts for.

mod spec;

pub use spec::{PdsBucketClaim, PdsBucketClaimSpec};
