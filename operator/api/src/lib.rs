//! The kinds of the API group `auroralocus.dev`: schema, validation rules, and the words of their conditions.
//!
//! Pure data: no client, no IO. No field has a default in its schema, so the API server stores what a person wrote; the controller
//! fills in defaults when it reads. A rule that CEL can express stands in the schema.

#![expect(unreachable_pub, reason = "the derive of kube writes public types into functions")]

pub mod v1alpha1;

pub use v1alpha1::*;

/// The API group.
pub const GROUP: &str = "auroralocus.dev";
